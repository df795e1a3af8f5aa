/**
 * A vitest reporter: the closing line `N passed, N failed`, and, with TIDEMARK_REQUIRE_ALL=1, no test left out.
 *
 * A skipped or todo test is a failure then, so that CI cannot be green for want of something that was not there.
 */
import type { Reporter, TestCase, TestModule, TestSuite } from "vitest/node"

/** What a run came to. A file that could not be loaded, or an error outside of tests, counts as one failed. */
export interface Tally {
  readonly passed: number
  readonly failed: number
  /** Full names of the tests that did not run. */
  readonly left: ReadonlyArray<string>
}

const brokenSuites = (suite: TestModule | TestSuite): number => {
  let broken = suite.errors().length > 0 ? 1 : 0
  for (const child of suite.children.suites()) broken += brokenSuites(child)
  return broken
}

/** Counts the tests of a run by their result. */
export const tally = (modules: ReadonlyArray<TestModule>, errorsOutside: number): Tally => {
  const tests: Array<TestCase> = modules.flatMap((module) => [...module.children.allTests()])
  const results = tests.map((test) => test.result().state)
  const broken = modules.reduce((sum, module) => sum + brokenSuites(module), errorsOutside)
  return {
    passed: results.filter((state) => state === "passed").length,
    failed: results.filter((state) => state === "failed").length + broken,
    left: tests.filter((_, i) => results[i] === "skipped" || results[i] === "pending").map((test) => test.fullName)
  }
}

/** The reporter; `requireAll` makes the process end with 1 when a test was left out, or when there was none. */
export const closingLine = (requireAll: boolean): Reporter => ({
  onTestRunEnd: (modules, errors) => {
    const { passed, failed, left } = tally(modules, errors.length)
    const out = left.length > 0 || passed + failed === 0
    if (requireAll && out) {
      process.exitCode = 1
      console.log(`\nTIDEMARK_REQUIRE_ALL: ${left.length} not run, of ${passed + failed + left.length}`)
      for (const name of left) console.log(`  ${name}`)
    }
    console.log(`\n${passed} passed, ${failed + (requireAll ? left.length : 0)} failed`)
  }
})
