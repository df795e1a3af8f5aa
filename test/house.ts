/**
 * What `tidy.test.ts` needs to know of the repository's own files: which there are, and what stands in them.
 *
 * Files are those that git tracks, so that unfinished work beside them disturbs nobody. Code is read by a parser, so
 * that a word in a comment or a string is not a use.
 */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { parseSync } from "oxc-parser"
import type { Use } from "./edges.ts"

export const root = resolve(import.meta.dirname, "..")

/** All tracked files that exist, by path from the root. */
export const tracked: ReadonlyArray<string> = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" })
  .split("\0")
  .filter((file) => file !== "" && existsSync(join(root, file)))

/** The text of a tracked file; none when it is not text. */
export const textOf = (file: string): string | undefined => {
  const text = readFileSync(join(root, file), "utf8")
  return text.includes("\0") ? undefined : text
}

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

/** A parsed module. */
export interface Module {
  readonly file: string
  readonly text: string
  readonly body: ReadonlyArray<Node>
  readonly comments: ReadonlyArray<{
    readonly type: string
    readonly value: string
    readonly start: number
    readonly end: number
  }>
}

export const parse = (file: string, text: string): Module => {
  const { program, comments, errors } = parseSync(file, text)
  if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`)
  return { file, text, body: program.body as unknown as ReadonlyArray<Node>, comments }
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as { readonly type?: unknown }).type === "string"

/** Visits every node below `of`, with the node above it and the field it stands in. */
const walk = (of: unknown, visit: (node: Node, above: Node, field: string) => void): void => {
  if (Array.isArray(of)) for (const each of of) walk(each, visit)
  if (!isNode(of)) return
  for (const field of Object.keys(of)) {
    const value = of[field]
    for (const below of Array.isArray(value) ? value : [value]) {
      if (!isNode(below)) continue
      visit(below, of, field)
      walk(below, visit)
    }
  }
}

const nameOf = (node: unknown): string | undefined =>
  isNode(node) && node.type === "Identifier" ? (node["name"] as string) : undefined

/** Whether an identifier only names a field or a type, and so reads no variable. */
const isName = (above: Node, field: string): boolean =>
  above.type.startsWith("TS")
    ? field !== "expression"
    : (field === "property" && above["computed"] !== true) ||
      (field === "key" && above["computed"] !== true) ||
      ["imported", "exported", "local", "label"].includes(field)

const globals: { readonly [name: string]: Use } = {
  process: "process",
  console: "console",
  performance: "performance",
  setTimeout: "timers",
  setInterval: "timers",
  setImmediate: "timers",
  clearTimeout: "timers",
  clearInterval: "timers",
  clearImmediate: "timers"
}

const members: { readonly [path: string]: Use } = {
  "Date.now": "Date.now",
  "Math.random": "Math.random",
  "crypto.randomUUID": "Math.random",
  "crypto.getRandomValues": "Math.random"
}

const bound = (module: Module): ReadonlySet<string> => {
  const names = new Set<string>()
  const add = (below: Node): void => {
    const name = nameOf(below)
    if (name !== undefined) names.add(name)
  }
  walk(module.body, (node, above, field) => {
    const binds = field === "params" || field === "local" || (field === "id" && above.type !== "TSTypeReference")
    if (!binds) return
    add(node)
    walk(node, add)
  })
  return names
}

/** What a module uses of the world: see {@link Use}. A name that the module binds itself is its own. */
export const usesOf = (module: Module): ReadonlySet<Use> => {
  const uses = new Set<Use>()
  const own = bound(module)
  const importOf = (source: unknown): void => {
    const name = isNode(source) ? source["value"] : undefined
    if (typeof name === "string" && /^(node:|@azure\/)/.test(name)) uses.add(name as Use)
  }
  const visit = (node: Node, above: Node, field: string): void => {
    const isType = node["importKind"] === "type" || node["exportKind"] === "type"
    if (!isType && /^(Import|Export)/.test(node.type)) importOf(node["source"])
    const name = nameOf(node)
    if (name !== undefined && !isName(above, field) && !own.has(name) && Object.hasOwn(globals, name)) {
      uses.add(globals[name])
    }
    if (node.type === "MemberExpression") {
      const property = nameOf(node["property"]) ?? "[]"
      const path = `${nameOf(node["object"])}.${property}`
      if (Object.hasOwn(members, path)) uses.add(members[path])
      if (/^(globalThis|global)\./.test(path) && Object.hasOwn(globals, property)) uses.add(globals[property])
    }
    const isDate = nameOf(node["callee"]) === "Date"
    const count = (node["arguments"] as ReadonlyArray<unknown> | undefined)?.length
    if (isDate && (node.type === "CallExpression" || count === 0)) uses.add("Date.now")
  }
  walk({ type: "Program", start: 0, end: 0, body: module.body }, visit)
  return uses
}

/** Lines where `any` stands as a type, or a comment switches the type checker off. */
export const untyped = (module: Module): ReadonlyArray<number> => {
  const places: Array<number> = []
  walk(module.body, (node) => {
    if (node.type === "TSAnyKeyword") places.push(node.start)
  })
  for (const c of module.comments) if (/@ts-(ignore|expect-error|nocheck)/.test(c.value)) places.push(c.start)
  return places.map((at) => module.text.slice(0, at).split("\n").length)
}

const docBefore = (module: Module, at: number): boolean => {
  const doc = module.comments.findLast((c) => c.end <= at && c.type === "Block" && c.value.startsWith("*"))
  return doc !== undefined && /^(\s|\/\/[^\n]*\n)*$/.test(module.text.slice(doc.end, at))
}

/** Lines of docstrings that another docstring directly follows: they document nothing. A header has a blank line below. */
export const stranded = (module: Module): ReadonlyArray<number> => {
  const docs = module.comments.filter((c) => c.type === "Block" && c.value.startsWith("*"))
  return docs
    .filter((doc, i) => i + 1 < docs.length && /^[ \t]*\n?[ \t]*$/.test(module.text.slice(doc.end, docs[i + 1].start)))
    .map((doc) => module.text.slice(0, doc.start).split("\n").length)
}

/** Whether the module starts with a comment that says what it is. */
export const hasHeader = (module: Module): boolean => {
  const [first] = module.comments
  return first !== undefined && first.value.startsWith("*") && first.start <= (module.body[0]?.start ?? 0)
}

const declared = (declaration: Node): ReadonlyArray<string> => {
  const named =
    declaration.type === "VariableDeclaration" ? (declaration["declarations"] as Array<Node>) : [declaration]
  return named.map((each) => nameOf(each["id"]) ?? "(pattern)")
}

/** Names that a module exports without a docstring; what it passes on from elsewhere has its docstring there. */
export const undocumented = (module: Module): ReadonlyArray<string> => {
  const documented = new Set<string>()
  const exported = new Set<string>()
  const imports = module.body.filter((statement) => statement.type === "ImportDeclaration")
  const imported = new Set(
    imports.flatMap((each) =>
      (each["specifiers"] as ReadonlyArray<Node>).map((specifier) => nameOf(specifier["local"]))
    )
  )
  for (const statement of module.body) {
    const isExport = /^Export(Named|Default)Declaration$/.test(statement.type)
    const declaration = isExport ? statement["declaration"] : statement
    const isDefault = statement.type === "ExportDefaultDeclaration"
    const names = isDefault ? ["default"] : isNode(declaration) ? declared(declaration) : []
    for (const name of names) {
      if (isExport) exported.add(name)
      if (docBefore(module, statement.start)) documented.add(name)
    }
    if (!isExport || isDefault || statement["source"] !== null) continue
    for (const specifier of statement["specifiers"] as ReadonlyArray<Node>) {
      exported.add(nameOf(specifier["local"]) ?? "default")
    }
  }
  return [...exported].filter((name) => !documented.has(name) && !imported.has(name))
}
