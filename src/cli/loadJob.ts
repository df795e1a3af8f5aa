/**
 * Reads a file of the user and finds the job it exports. An edge: it looks at the file system and imports what it finds.
 *
 * `.ts` and `.mts` run by Node's type stripping, so the file has to lie outside of node_modules and do without enums
 * and parameter properties. Its `tidemark` has to be the program's own for classes to match; jobs and pipelines of
 * another copy are recognised all the same.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { statSync } from "node:fs"
import { basename, extname, relative, resolve } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { isJob, type Job, job as jobOf, JobTypeId } from "../actors/Job.ts"
import { isPipeline } from "../streams/Pipeline.ts"
import { isEventStream } from "../streams/StreamValue.ts"
import { type CliFailure, describeError, failed } from "./failure.ts"
import { cut, oneLine } from "./words.ts"

/** A job of whatever types: it came out of a file. */
export type AnyJob = Job<string, unknown, never>

const extensions = [".ts", ".mts", ".js", ".mjs"]
const example = "export default Query.job({ name: pipeline })"

/** A path as people wrote it, or from here. */
const shown = (path: string): string => {
  const short = relative("", path)
  return short === "" || short.length >= path.length ? path : short
}

const checkFile = (file: string): string => {
  const path = resolve(file)
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) throw failed(`there is no file ${file}`)
  if (stats.isDirectory()) throw failed(`${file} is a folder: name a file in it`)
  const extension = extname(path)
  if (!extensions.includes(extension)) {
    throw failed(
      `${file} is not a file that can be run: it has to end in ${extensions.slice(0, -1).join(", ")} or ${extensions.at(-1)}`
    )
  }
  return path
}

/** Where an error of loading stands in the user's files, as `job.ts:3`; empty when nowhere. */
const placeOf = (error: Error): string => {
  const lines = (error.stack ?? "").split("\n")
  // Syntax errors start with the place; others have it in their first frame that is the user's.
  const head = /^(?:file:\/\/)?(\/.*|[A-Za-z]:\\.*):(\d+)$/.exec(lines[0])
  if (head !== null) return `${shown(head[1])}:${head[2]}`
  for (const line of lines) {
    const frame = /(file:\/\/\S+):(\d+):\d+\)?$/.exec(line)
    if (frame !== null && !frame[1].includes("/node_modules/")) return `${shown(fileURLToPath(frame[1]))}:${frame[2]}`
  }
  return ""
}

const hints: ReadonlyArray<readonly [RegExp, string]> = [
  [
    /not supported in strip-only mode/,
    "Node runs .ts by leaving the types out, so enums, namespaces and parameter properties have to be written as plain values"
  ],
  [
    /Stripping types is currently unsupported for files under node_modules/,
    "move the file out of node_modules, or compile it to .js"
  ],
  [
    /Cannot use import statement outside a module|Unexpected token 'export'/,
    'write "type": "module" in the nearest package.json, or name the file .mts or .mjs'
  ],
  [
    /Cannot find package 'tidemark'|tidemark.dist.index\.js/,
    "install it beside the file (npm install tidemark), or, in tidemark's own repository, run npm run build"
  ],
  [/Cannot find package '([^']+)'/, "install it beside the file: npm install $1"],
  [/Cannot find module .*imported from/, "imports of your own files need their full names, extension included"]
]

/** What was wrong with loading a file, and what to do about it. */
const describeLoading = (file: string, error: unknown): string => {
  if (!(error instanceof Error)) return `${file} threw while it was loaded: ${describeError(error)}`
  const place = placeOf(error)
  const at = place === "" || oneLine(error.message).includes(place) ? file : place
  for (const [pattern, hint] of hints) {
    const match = pattern.exec(error.message)
    if (match !== null) return `${at}: ${describeError(error)}; ${hint.replace("$1", match[1] ?? "")}`
  }
  const kind = error.name === "SyntaxError" ? "cannot be read: " : `threw while it was loaded: ${error.name}: `
  return `${at} ${kind}${describeError(error)}`
}

const load = (
  file: string,
  path: string,
  verbose: boolean
): Effect.Effect<{ readonly [name: string]: unknown }, CliFailure> =>
  Effect.tryPromise({
    try: () => import(pathToFileURL(path).href) as Promise<{ readonly [name: string]: unknown }>,
    catch: (error) => {
      const stack = verbose && error instanceof Error ? `\n${error.stack}` : ""
      return failed(`${describeLoading(file, error)}${stack}`)
    }
  })

const isRunnable = (value: unknown): boolean => isJob(value) || isPipeline(value)

/** What a default export is, when it is not what it should be. */
const describeWrong = (file: string, exports: { readonly [name: string]: unknown }): string => {
  if (!("default" in exports)) {
    const named = Object.keys(exports).filter((name) => isRunnable(exports[name]))
    if (named.length > 0)
      return `${file} has no default export, but exports ${named.join(", ")}: write export default ${named[0]}`
    return `${file} has no default export: end it with ${example}`
  }
  const value = exports["default"]
  if (isEventStream(value))
    return `the default export of ${file} is a stream that goes nowhere: give it a sink with EventStream.to(sink), and export that`
  if (Effect.isEffect(value))
    return `the default export of ${file} is an Effect: export the pipeline or the job itself, and "tidemark run" runs it`
  if (Layer.isLayer(value)) {
    return `the default export of ${file} is a Layer, for a program of its own: export the job itself, and "tidemark run" runs it`
  }
  if (typeof value === "function")
    return `the default export of ${file} is a function: export what it returns, a job (${example})`
  if (value instanceof Promise) return `the default export of ${file} is a Promise: await it (export default await ...)`
  const text =
    typeof value === "object" && value !== null
      ? `an object with ${Object.keys(value).slice(0, 5).join(", ") || "nothing in it"}`
      : String(value)
  return `the default export of ${file} is ${cut(oneLine(text), 80)}, not a job: write ${example}`
}

/** A name for the query of a file: its own, with `-` for what a query name cannot hold. */
export const queryNameOf = (path: string): string => {
  const name = basename(path, extname(path))
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[.-]+/, "")
    .slice(0, 128)
  return name === "" ? "query" : name
}

const checkQueries = (file: string, found: AnyJob): CliFailure | undefined => {
  const { queries } = found[JobTypeId]
  if (queries.length === 0) return failed(`the job of ${file} has no queries: ${example}`)
  const wrong = queries.find(([, pipeline]) => !isPipeline(pipeline))
  if (wrong === undefined) return undefined
  const fix = isEventStream(wrong[1])
    ? "is a stream that goes nowhere: give it a sink with EventStream.to(sink)"
    : "is not a pipeline"
  return failed(`the job of ${file} cannot run: its query ${wrong[0]} ${fix}`)
}

/** What a file exports. */
export type Exports = { readonly [name: string]: unknown }

/** A job, or what makes it in each simulated process, and what else its file exports. */
export interface SimulatedFile {
  readonly job: AnyJob | (() => AnyJob)
  readonly exports: Exports
}

const jobIn = (path: string, value: unknown): AnyJob | undefined => {
  if (isJob(value)) return value as AnyJob
  return isPipeline(value) ? (jobOf({ [queryNameOf(path)]: value }) as AnyJob) : undefined
}

const checkedJob = (file: string, path: string, value: unknown): AnyJob => {
  const found = jobIn(path, value)
  if (found === undefined) throw failed(describeWrong(file, { default: value }))
  const wrong = checkQueries(file, found)
  if (wrong !== undefined) throw wrong
  return found
}

const loaded = <A>(
  file: string,
  verbose: boolean,
  read: (path: string, exports: Exports) => A
): Effect.Effect<A, CliFailure> =>
  Effect.gen(function* () {
    const path = yield* Effect.try({ try: () => checkFile(file), catch: (error) => error as CliFailure })
    const exports = yield* load(file, path, verbose)
    if (!("default" in exports)) return yield* Effect.fail(failed(describeWrong(file, exports)))
    return yield* Effect.try({ try: () => read(path, exports), catch: (error) => error as CliFailure })
  })

/** The job that a file exports by default, or the function that makes it, with its other exports. */
export const loadSimulated = (file: string, verbose: boolean): Effect.Effect<SimulatedFile, CliFailure> =>
  loaded(file, verbose, (path, exports) => {
    const value = exports["default"]
    if (typeof value !== "function" || isRunnable(value)) return { job: checkedJob(file, path, value), exports }
    const make = (): AnyJob => checkedJob(file, path, made(file, value as () => unknown))
    make()
    return { job: make, exports }
  })

const made = (file: string, make: () => unknown): unknown => {
  try {
    return make()
  } catch (error) {
    throw failed(`the default export of ${file}, a function, threw: ${describeError(error)}`)
  }
}

/** The job that a file exports by default; a pipeline becomes a job of one query that is named after the file. */
export const loadJob = (file: string, verbose: boolean): Effect.Effect<AnyJob, CliFailure> =>
  loaded(file, verbose, (path, exports) => checkedJob(file, path, exports["default"]))
