import { expect, it } from "vitest"
import { KeyDictionary } from "../../src/streams/KeyDictionary.ts"

it("a delta that waits in a queue does not change while the sender finds more keys", () => {
  const dictionary = new KeyDictionary(1, 1)
  dictionary.entriesOf([["a"]], 1, new Int32Array(1))
  expect(dictionary.takeDelta(0).keys).toEqual([["a"]])
  const empty = dictionary.takeDelta(0)
  dictionary.entriesOf([["b"]], 1, new Int32Array(1))
  expect(empty.keys).toEqual([])
  expect(dictionary.takeDelta(0)).toEqual({ generation: 0, first: 1, keys: [["b"]] })
})
