/** A vitest sequencer: the files that take longest begin first, so that no worker ends long before another. */
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** By their names; a file that is not among them comes after them, in vitest's own order. */
const longest = [
  /property-tests\/historiesJob\d\.test\.ts$/,
  /property-tests\/histories\.test\.ts$/,
  /\.int\.test\.ts$/
]

const rank = ({ moduleId }: TestSpecification): number => {
  const at = longest.findIndex((name) => name.test(moduleId))
  return at < 0 ? longest.length : at
}

/** The sequencer. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}
