/** What `tidemark` says when something is wrong: one line that names it and the fix, and an exit code. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { endless, makeProject, type Project } from "./program.ts"

let project: Project
beforeAll(() => {
  project = makeProject()
})
afterAll(() => project.remove())

const pipeline = `EventStream.from(Memory.source([{ a: 1 }])).pipe(EventStream.to(Terminal.sink()))`
const imports = `import { EventStream, Memory, Query, Terminal } from "tidemark"\n`

describe("a file that cannot be run: exit 1, and one line", () => {
  const files: ReadonlyArray<readonly [what: string, file: string, text: string | undefined, says: RegExp]> = [
    ["is not there", "nowhere.ts", undefined, /there is no file nowhere\.ts$/],
    ["is a folder", "node_modules", undefined, /node_modules is a folder: name a file in it$/],
    [
      "is of another kind",
      "job.yaml",
      "a: 1",
      /job\.yaml is not a file that can be run: it has to end in \.ts, \.mts, \.js or \.mjs$/
    ],
    [
      "has no default export",
      "none.ts",
      "export const a = 1",
      /none\.ts has no default export: end it with export default Query\.job\(/
    ],
    [
      "exports its pipeline under a name only",
      "named.ts",
      `${imports}export const orders = ${pipeline}`,
      /named\.ts has no default export, but exports orders: write export default orders$/
    ],
    [
      "exports something else",
      "other.ts",
      "export default { a: 1 }",
      /default export of other\.ts is an object with a, not a job: write export default Query\.job/
    ],
    [
      "exports a stream without a sink",
      "stream.ts",
      `${imports}export default EventStream.from(Memory.source([{ a: 1 }]))`,
      /default export of stream\.ts is a stream that goes nowhere: give it a sink with EventStream\.to\(sink\), and export that$/
    ],
    [
      "exports a job with a stream without a sink",
      "streams.mjs",
      `${imports}export default Query.job({ a: EventStream.from(Memory.source([{ a: 1 }])) })`,
      /job of streams\.mjs cannot run: its query a is a stream that goes nowhere/
    ],
    ["exports an empty job", "empty.ts", `${imports}export default Query.job({})`, /job of empty\.ts has no queries/],
    [
      "exports what runs already",
      "effect.ts",
      `${imports}export default Query.run(${pipeline}, { name: "a" })`,
      /default export of effect\.ts is an Effect: export the pipeline or the job itself/
    ],
    [
      "has an enum",
      "enum.ts",
      "\nenum A { x }\nexport default A",
      /enum\.ts:2: TypeScript enum is not supported[^\n]*plain values$/
    ],
    ["is no TypeScript", "syntax.ts", "export default 1 +", /syntax\.ts:1 cannot be read: Expression expected$/],
    [
      "throws",
      "throws.ts",
      '\n\nthrow new Error("no\\u001b[2Jluck\\nat all")',
      /throws\.ts:3 threw while it was loaded: Error: no\\x1b\[2Jluck at all$/
    ],
    [
      "imports what is not installed",
      "import.ts",
      'import "left-pad"',
      /Cannot find package 'left-pad'[^\n]*npm install left-pad$/
    ],
    [
      "has options that are wrong",
      "option.ts",
      `${imports}export default ${pipeline.replace("sink()", "sink({ numRows: 0 })")}`,
      /option\.ts: query option cannot start: Terminal\.sink\.numRows: 0: must be/
    ]
  ]

  it.each(files)("%s", async (_, file, text, says) => {
    if (text !== undefined) project.write(file, text)
    const { code, stdout, stderr } = await project.run("run", file)
    expect(stderr.replaceAll("\n", "\\n")).toMatch(/^tidemark: .*\\n$/)
    expect(stderr.trimEnd()).toMatch(says)
    expect(stderr.split("\n")).toHaveLength(2)
    expect(stdout).toBe("")
    expect(code).toBe(1)
  })

  it("shows the stack with --verbose", async () => {
    project.write("deep.ts", 'const inner = () => { throw new Error("deep") }\ninner()\n')
    const { stderr } = await project.run("run", "deep.ts", "--verbose")
    expect(stderr).toMatch(/Error: deep\n +at inner /)
  })
})

describe("a query that fails: exit 1", () => {
  it("is told in plain words without a stack, shows no secrets, and stops the other queries well", async () => {
    project.write(
      "fails.ts",
      `${endless.replace("export default", "const endless =")}
      import { Memory, Query } from "tidemark"
      import * as Redacted from "effect/Redacted"
      const secret = Redacted.make("hunter2")
      const down = () => Effect.fail({ _tag: "Down", message: "", connection: secret })
      const unknown = () => Effect.fail({ connection: secret })
      const rows = EventStream.from(Memory.source([{ a: 1 }]))
      const to = EventStream.to(Foreach.sink(() => Effect.void))
      export default Query.job({
        down: rows.pipe(EventStream.mapEffect(down, { concurrency: 1 }), to),
        unknown: rows.pipe(EventStream.mapEffect(unknown, { concurrency: 1 }), to),
        said: rows.pipe(EventStream.mapEffect(() => Effect.fail(new Error(\`no way in with \${secret}\`)), { concurrency: 1 }), to),
        thrown: rows.pipe(EventStream.map((): number => { throw new Error("odd row") }), to),
        endless
      })`
    )
    const { code, stdout, stderr } = await project.run("run", "fails.ts", "--json")
    expect(stderr).toContain("tidemark: query down failed: Down\n")
    expect(stderr).toContain('tidemark: query unknown failed: {"connection":"<redacted>"}\n')
    expect(stderr).toContain("tidemark: query said failed: no way in with <redacted>\n")
    expect(stderr).toMatch(/query thrown failed: the function of map-1 threw on row 0 of partition 0: Error: odd row\./)
    expect(stderr).toContain("tidemark: stopping the other queries of the job\n")
    expect(stderr + stdout).not.toMatch(/hunter2|\n +at /)
    const lines = stdout.split("\n").filter((line) => line.startsWith("{"))
    const outcomes = lines.map((line) => JSON.parse(line) as { readonly query: string; readonly ended: string })
    expect(outcomes.map(({ query, ended }) => [query, ended])).toEqual([
      ["down", "failed"],
      ["unknown", "failed"],
      ["said", "failed"],
      ["thrown", "failed"],
      ["endless", "drained"]
    ])
    expect(code).toBe(1)
  })

  it("names a service that is missing, and the fix", async () => {
    project.write(
      "service.ts",
      `${imports}
      import * as Context from "effect/Context"
      class Rates extends Context.Service<Rates, { readonly euro: number }>()("app/Rates") {}
      export default EventStream.from(Memory.source([{ a: 1 }])).pipe(
        EventStream.mapEffect(() => Rates, { concurrency: 1 }), EventStream.to(Terminal.sink()))`
    )
    const { code, stderr } = await project.run("run", "service.ts")
    expect(stderr).toMatch(
      /query service failed: it needs the service "app\/Rates", which nothing provides: in service\.ts, write export default Query\.provide\(layer\)\(job\)/
    )
    expect(code).toBe(1)
  })

  it("a layer of the job that cannot be built is told likewise, and nothing starts", async () => {
    project.write(
      "layer.ts",
      `${imports}
      import * as Effect from "effect/Effect"
      import * as Layer from "effect/Layer"
      const down = Layer.effectDiscard(Effect.fail(new Error("no database", { cause: new Error("ECONNREFUSED") })))
      export default Query.provide(down)(Query.job({ a: ${pipeline} }))`
    )
    const { code, stdout, stderr } = await project.run("run", "layer.ts")
    expect(stderr).toBe("tidemark: layer.ts: no database: ECONNREFUSED\n")
    expect(stdout).toBe("")
    expect(code).toBe(1)
  })

  it("an error outside of the queries ends the program in a line", async () => {
    project.write("outside.ts", `${endless}\nsetTimeout(() => { throw new Error("stray") }, 1)\n`)
    const { code, stderr } = await project.run("run", "outside.ts")
    expect(stderr).toBe("tidemark: something outside of the queries failed: Error: stray\n")
    expect(code).toBe(1)
  })
})

describe("wrong usage: exit 2, and one line with a hint", () => {
  it.each([
    [["rum", "job.ts"], 'Unknown subcommand "rum" for "tidemark"; did you mean run?', "tidemark"],
    [["run"], "Missing required argument: FILE", "tidemark run"],
    [
      ["run", "job.ts", "--quit"],
      "Unrecognized flag: --quit in command tidemark run; did you mean --quiet?",
      "tidemark run"
    ],
    [
      ["run", "job.ts", "--for", "10 parsecs"],
      'Invalid value for flag --for: "10 parsecs". Expected: a time span such as 500ms, 30s, 10m or "2 hours"',
      "tidemark run"
    ],
    [
      ["run", "job.ts", "--parallelism", "0"],
      'Invalid value for flag --parallelism: "0". Expected: a whole number from 1 to 128',
      "tidemark run"
    ],
    [
      ["state", "orders", "--at", "abc"],
      'Invalid value for flag --at: "abc". Expected: a whole number, 1 or more',
      "tidemark state"
    ],
    [
      ["generate", "weather", "--out", "x"],
      'Invalid value for argument <WHAT>: "weather". Expected: "transactions" | "iot"',
      "tidemark generate"
    ]
  ])("%j", async (args, says, command) => {
    const { code, stdout, stderr } = await project.run(...args)
    expect(stderr).toBe(`tidemark: ${says}\nTry: ${command} --help\n`)
    expect(stdout).toBe("")
    expect(code).toBe(2)
  })

  it("--help and --version go to stdout and exit 0; help documents the exit codes", async () => {
    const [help, version] = await Promise.all([project.run("run", "--help"), project.run("--version")])
    for (const code of ["0", "1", "2", "130"]) expect(help.stdout).toMatch(new RegExp(`\\n +${code} +[a-z]`))
    expect(help.stdout).toMatch(/--drain-timeout DURATION/)
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect([help.code, version.code, help.stderr, version.stderr]).toEqual([0, 0, "", ""])
  })
})
