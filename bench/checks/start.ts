/**
 * `npm run -s check:start`: from the start of examples/01 to its first result, beside a program that only imports what
 * it imports, interleaved. At most the imports plus 150 ms, and at most 120 MB.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { fromSource, median, run, verdict } from "./run.ts"

const example = "examples/01-fifteen-lines.ts"
// Beside the example, so that "tidemark" resolves as it does there.
const folder = mkdtempSync("examples/.start-")
const importsOnly = `${folder}/imports.ts`
const memory = `${folder}/memory.mjs`
try {
  const imports = readFileSync(example, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("import "))
  writeFileSync(
    importsOnly,
    [...imports.map((line) => line.replace(/^import .* from /, "import ")), 'console.log("ready")'].join("\n")
  )
  writeFileSync(
    memory,
    'process.on("exit", () => console.error(JSON.stringify({ rss_mb: process.resourceUsage().maxRSS / 1024 })))'
  )
  const first: Array<number> = []
  const imported: Array<number> = []
  for (let round = 0; round < 9; round++) {
    first.push((await run(process.execPath, [...fromSource, example])).firstOutputMs)
    imported.push((await run(process.execPath, [...fromSource, importsOnly])).firstOutputMs)
  }
  const hook = new URL(`../../${memory}`, import.meta.url).href
  const script = `2>&1 "${process.execPath}" ${fromSource.join(" ")} --import "${hook}" ${example}`
  const { stdout } = await run("sh", ["-c", script])
  const rss = Number((/"rss_mb":([\d.]+)/.exec(stdout) ?? [])[1])
  const figures = {
    check: "start",
    first_result_ms: Math.round(median(first)),
    imports_ms: Math.round(median(imported)),
    rss_mb: Math.round(rss)
  }
  const own = figures.first_result_ms - figures.imports_ms
  rmSync(folder, { recursive: true })
  verdict(figures, [
    [`first result at most 150 ms after the imports: ${own} ms`, own <= 150],
    [`at most 120 MB: ${figures.rss_mb} MB`, figures.rss_mb <= 120]
  ])
} finally {
  rmSync(folder, { recursive: true, force: true })
}
