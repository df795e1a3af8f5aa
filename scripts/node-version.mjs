/**
 * The first thing every npm script runs: is this Node new enough, and if not, what to do about it.
 *
 * npm scripts find `node` in node_modules/.bin first, which is the Node 24 of the devDependency `node`. When an
 * install ended half-way they would run on the machine's own Node, and fail later with something unreadable.
 * Plain JavaScript that any Node since 14 runs. Silent when all is well.
 */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = new URL("../", import.meta.url)
const { engines } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"))
const needed = Number(/\d+/.exec(engines.node)[0])
const have = process.versions.node

if (Number(have.split(".")[0]) < needed) {
  const installed = existsSync(new URL("node_modules/.package-lock.json", root))
  const broken = installed
    ? `The install in node_modules has no working Node ${needed}: install scripts are switched off (ignore-scripts), or one failed.`
    : "The install in node_modules is missing or did not finish."
  console.error(
    [
      "",
      `tidemark needs Node ${needed} or newer; this is Node ${have} (${process.execPath}).`,
      broken,
      "",
      `  npm ci --ignore-scripts=false     in ${fileURLToPath(root)}`,
      "",
      `puts Node ${needed} into node_modules for the project's own scripts and leaves yours alone.`,
      `Outside of npm scripts, put it first on the path:  export PATH="$PWD/node_modules/.bin:$PATH"`,
      ""
    ].join("\n")
  )
  process.exit(1)
}
