/**
 * Makes the peers of the tests: small programs on the SDKs of Event Hubs for other languages, at pinned versions.
 *
 * A peer is made on first use, in a folder of `node_modules/.cache` named by what it is made from, and stays there. It is
 * made beside that folder and then renamed: who is killed meanwhile leaves nothing that looks whole, and of two who make
 * it at once one finds it there. Run as a program, this makes all of them, and fails when one cannot be made.
 */
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs"
import { delimiter, join } from "node:path"
import { promisify } from "node:util"
import { root } from "../../house.ts"

/** Languages that there is a peer in. */
export type Language = "python" | "go" | "java"

/** How a program is started. */
export interface Command {
  readonly file: string
  readonly args: ReadonlyArray<string>
  readonly env?: { readonly [name: string]: string }
}

interface Recipe {
  /** Programs that have to be on the path, each with what makes it say its version. */
  readonly tools: ReadonlyArray<readonly [file: string, asked: string]>
  /** Makes the peer of the sources `from` in the folder `into`. */
  readonly steps: (from: string, into: string) => ReadonlyArray<Command>
  readonly start: (from: string, made: string) => Command
}

const recipes: { readonly [language in Language]: Recipe } = {
  python: {
    tools: [["python3", "--version"]],
    steps: (from, into) => [
      {
        file: "python3",
        args: [
          ...["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"],
          ...["--no-deps", "--target", into, "--requirement", join(from, "requirements.txt")]
        ]
      }
    ],
    start: (from, made) => ({ file: "python3", args: [join(from, "peer.py")], env: { PYTHONPATH: made } })
  },
  go: {
    tools: [["go", "version"]],
    steps: (from, into) => [
      { file: "go", args: ["build", "-C", from, "-mod=readonly", "-ldflags=-s -w", "-o", join(into, "peer"), "."] }
    ],
    start: (_, made) => ({ file: join(made, "peer"), args: [] })
  },
  java: {
    tools: [
      ["javac", "-version"],
      ["mvn", "--version"]
    ],
    steps: (from, into) => [
      {
        file: "mvn",
        args: [
          ...["--quiet", "--batch-mode", "--file", join(from, "pom.xml")],
          ...["dependency:copy-dependencies", `-DoutputDirectory=${join(into, "lib")}`]
        ]
      },
      { file: "javac", args: ["-cp", join(into, "lib/*"), "-d", into, join(from, "Peer.java")] }
    ],
    start: (_, made) => ({
      file: "java",
      args: ["-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp", `${made}${delimiter}${join(made, "lib/*")}`, "Peer"]
    })
  }
}

const run = promisify(execFile)

/** Versions of the tools; or fails for the first that is not there. */
const versions = (language: Language): Promise<ReadonlyArray<string>> =>
  Promise.all(
    recipes[language].tools.map(async ([file, asked]) => {
      const { stdout, stderr } = await run(file, [asked])
      return stdout + stderr
    })
  )

/** Why there can be no peer in a language here; none where there can. */
export const missing = (language: Language): Promise<string | undefined> =>
  versions(language).then(
    () => undefined,
    (error: { readonly path?: string; readonly message: string }) =>
      error.path === undefined ? error.message : `${error.path} is not installed`
  )

const nameOf = async (language: Language, from: string): Promise<string> => {
  const hash = createHash("sha256").update((await versions(language)).join())
  for (const file of readdirSync(from).toSorted()) hash.update(`\n${file}\n`).update(readFileSync(join(from, file)))
  return `${language}-${hash.digest("hex").slice(0, 16)}`
}

/** Makes the peer in a language unless it is there, and says how it is started. */
export const install = async (language: Language): Promise<Command> => {
  const { steps, start } = recipes[language]
  const from = join(import.meta.dirname, language)
  const cache = join(root, "node_modules/.cache/tidemark-peers")
  const made = join(cache, await nameOf(language, from))
  if (existsSync(made)) return start(from, made)
  mkdirSync(cache, { recursive: true })
  const making = mkdtempSync(join(cache, "making-"))
  try {
    for (const { file, args } of steps(from, making)) await run(file, args)
    renameSync(making, made)
  } catch (error) {
    rmSync(making, { recursive: true, force: true })
    if (!existsSync(made)) throw error
  }
  return start(from, made)
}

if (import.meta.main) {
  for (const language of Object.keys(recipes) as Array<Language>) {
    const began = performance.now()
    await install(language)
    console.log(`${language}: ${((performance.now() - began) / 1000).toFixed(1)} s`)
  }
}
