/**
 * The linter's rules, with the import directions of ARCHITECTURE.md as a table: which folder may import which.
 *
 * `test/lint.test.ts` proves each of them by planting an import that must be refused. What a linter cannot see
 * (clocks, timers, processes, file sizes, docs) is judged by `test/tidy.test.ts`.
 */
import { defineConfig } from "oxlint"
import { edges } from "./test/edges.ts"

/** Folders of src, and which others each may import. Connectors, who may not import each other, get more below. */
const directions: { readonly [folder: string]: ReadonlyArray<string> } = {
  model: [],
  formats: ["model"],
  streams: ["model"],
  checkpoint: ["model"],
  actors: ["model", "streams", "checkpoint"],
  connectors: ["model", "formats"],
  sql: ["model", "streams"],
  monitor: ["model", "streams", "checkpoint", "actors"],
  testing: ["model", "formats", "streams", "checkpoint", "actors", "connectors", "sql", "monitor"],
  cli: ["model", "formats", "streams", "checkpoint", "actors", "connectors", "sql", "monitor", "testing"]
}

/** Folders of pure logic, or of logic over services: Node's modules are for the files that are named as edges. */
const withoutNode = ["model", "formats", "streams", "checkpoint", "actors"]

interface Pattern {
  readonly regex: string
  readonly message: string
  readonly allowTypeImports?: boolean
}

/** For every file of src. */
const everywhere: ReadonlyArray<Pattern> = [
  {
    regex: "^(effect|@effect/platform-node)(/[a-z-]+)?$",
    message: "A barrel costs 0.2 s and 15 MB at start: import the module itself, as in `effect/Effect`."
  },
  { regex: "^tidemark(/|$)", message: "Inside src, import the module itself." },
  { regex: "(^|/)\\.\\./index\\.ts$|^\\./index\\.ts$", message: "index.ts is for users: import the module itself." },
  {
    regex: "\\.\\./(test|property-tests|bench|examples|scripts|dist|node_modules)/",
    message: "What ships in src stands on its own."
  }
]

const node: Pattern = {
  regex: "^(node:|(fs|net|os|path|crypto|zlib|stream|http|https|child_process|worker_threads|timers)(/|$))",
  message:
    "This folder runs in the simulator: use a service, or name the file as an edge in test/edges.ts, and say why.",
  allowTypeImports: true
}

/** What a folder must not import of ours. */
const against = (folder: string): Pattern => {
  const refused = Object.keys(directions).filter((other) => other !== folder && !directions[folder].includes(other))
  const may = directions[folder].length === 0 ? "nothing of ours" : directions[folder].join(", ")
  return {
    regex: `(^|/)\\.\\./(src/)?(${refused.join("|")})/`,
    message: `src/${folder} may import ${may} (ARCHITECTURE.md, folders).`
  }
}

const connectors = against("connectors")

/** A file `depth` folders below src/connectors must not climb out of its own connector into another. */
const apart = (depth: number): Pattern => ({
  // oxlint's regex has no lookahead, and says nothing when it meets one
  regex: depth === 0 ? "^\\./[^.]|^(\\./)?\\.\\./connectors/" : `^(\\./)?(\\.\\./){${depth}}([^.]|\\.\\./connectors/)`,
  message: "A connector never imports another: what two need belongs in model or formats."
})

const restrict = (patterns: ReadonlyArray<Pattern>) => ({
  "no-restricted-imports": ["error", { patterns: [...everywhere, ...patterns] }]
})

const isPure = (folder: string): boolean => withoutNode.includes(folder)
const pureEdges = edges.map((edge) => edge.file).filter((file) => isPure(file.split("/")[1]))

const folderRules = Object.keys(directions)
  .filter((folder) => folder !== "cli" && folder !== "connectors")
  .map((folder) => ({
    files: [`src/${folder}/**/*.ts`],
    rules: restrict(isPure(folder) ? [against(folder), node] : [against(folder)])
  }))

export default defineConfig({
  plugins: ["eslint", "typescript", "unicorn", "oxc", "import", "promise", "vitest"],
  categories: { correctness: "error" },
  options: { typeAware: true },
  ignorePatterns: ["node_modules", "dist", "out", "coverage", "test/types/fixtures"],
  rules: {
    "import/no-cycle": "error",
    "import/no-self-import": "error",
    "typescript/no-floating-promises": "error",
    "typescript/no-misused-promises": "error",
    "typescript/await-thenable": "error",
    "typescript/no-explicit-any": "error",
    "typescript/ban-ts-comment": "error",
    "typescript/consistent-type-imports": "error",
    "eslint/eqeqeq": "error",
    "eslint/no-var": "error",
    "eslint/prefer-const": "error",
    // hot loops fill arrays whose length they know
    "unicorn/no-new-array": "off",
    // values of rows are shown as whatever text they have
    "typescript/no-base-to-string": "off",
    "typescript/no-misused-spread": "off",
    // a generator has no `this` of its own
    "typescript/no-this-alias": "off",
    // terminals speak in control characters
    "eslint/no-control-regex": "off",
    // who is called while being iterated may join or leave
    "unicorn/no-useless-spread": "off",
    // laws assert by `fc.assert`, suites are driven by tables, and `expect` takes a second argument: the case
    "vitest/expect-expect": "off",
    "vitest/no-standalone-expect": "off",
    "vitest/valid-title": "off",
    "vitest/valid-expect": ["error", { maxArgs: 2 }],
    "vitest/require-to-throw-message": "off",
    "vitest/no-focused-tests": "error",
    "vitest/no-disabled-tests": "error"
  },
  overrides: [
    { files: ["src/**/*.ts"], rules: restrict([]) },
    {
      files: ["src/*.ts"],
      rules: restrict([{ regex: "^\\./cli/", message: "The library never imports the program." }])
    },
    ...folderRules,
    { files: ["src/connectors/*.ts"], rules: restrict([connectors, apart(0)]) },
    { files: ["src/connectors/*/*.ts"], rules: restrict([connectors, apart(1)]) },
    { files: ["src/connectors/*/*/*.ts"], rules: restrict([connectors, apart(2)]) },
    ...pureEdges.map((file) => ({ files: [file], rules: restrict([against(file.split("/")[1])]) }))
  ]
})
