/**
 * `npm run -s example 01`: runs the example whose name begins so; without a number, says which there are.
 *
 * An example is a program, or a file that exports a job: the latter is given to `tidemark run`.
 */
import { readdirSync, readFileSync } from "node:fs"
import module from "node:module"
import { fileURLToPath } from "node:url"

// Compiled code is kept in the temporary folder of the system, which halves the time of the next start.
module.enableCompileCache()

const folder = new URL("../examples/", import.meta.url)
const examples = readdirSync(folder)
  .filter((file) => /^\d\d-.+\.ts$/.test(file))
  .toSorted()

/** The first sentence of an example's header. */
const about = (file: string): string => {
  const text = readFileSync(new URL(file, folder), "utf8").replaceAll("\n * ", " ")
  return /^\/\*\* (.+?\.)\s/.exec(text)?.[1] ?? ""
}

const [wanted, ...rest] = process.argv.slice(2)
const file = wanted === undefined ? undefined : examples.find((name) => name.startsWith(wanted.padStart(2, "0")))
if (file === undefined) {
  if (wanted !== undefined) console.error(`there is no example ${wanted}`)
  console.log("npm run -s example NUMBER\n")
  for (const name of examples) console.log(`  ${name.slice(0, 2)}  ${about(name)}`)
  process.exitCode = wanted === undefined ? 0 : 2
} else {
  const url = new URL(file, folder)
  if (/^export default /m.test(readFileSync(url, "utf8"))) {
    process.argv = [process.argv[0], "tidemark", "run", fileURLToPath(url), ...rest]
    await import(new URL("../src/cli/main.ts", import.meta.url).href)
  } else await import(url.href)
}
