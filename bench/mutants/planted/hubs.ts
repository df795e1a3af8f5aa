/** Planted bugs of the source of Event Hubs: where it goes on, what was given before, what retention took, and silence. */
import type { Planted } from "../edit.ts"

const cursor = "connectors/eventhubs/hubCursor.ts"

const of = (bug: Omit<Planted, "suite">): Planted => ({ ...bug, suite: "hub" })

export const ofHubs: ReadonlyArray<Planted> = [
  of({
    name: "hub-given-again",
    breaks: "C1, E11: what a hub gives once more, to a link that was opened anew, is taken for new",
    edits: [
      [
        cursor,
        "const news = waiting().findIndex(({ sequenceNumber }) => sequenceNumber > after)",
        "const news = waiting().length === 0 ? -1 : 0"
      ]
    ]
  }),
  of({
    name: "hub-resumes-at-start",
    breaks: "C1, E11: after an error reading goes on where the options say, as the SDK does by itself",
    edits: [
      [
        cursor,
        "if (place === undefined) return this.#before.start",
        "if (place === undefined || place.after >= -1) return this.#before.start"
      ]
    ]
  }),
  of({
    name: "hub-resumes-one-ahead",
    breaks: "C1, E11: after an error reading goes on behind the event that should come next",
    edits: [
      [
        cursor,
        "return place.offset === undefined\n      ? { sequenceNumber: place.after, inclusive: false }\n      : { offset: place.offset, inclusive: false }",
        "return { sequenceNumber: place.after + 1, inclusive: false }"
      ]
    ]
  }),
  of({
    name: "hub-start-inclusive",
    breaks: "C1: an event to start behind is read, and one to start with is not",
    edits: [
      [
        cursor,
        "start.sequenceNumber - (start.inclusive === true ? 1 : 0)",
        "start.sequenceNumber - (start.inclusive === true ? 0 : 1)"
      ]
    ]
  }),
  of({
    name: "hub-gap-swallowed",
    breaks: "L1, E11: what retention took before it was read is missing without a word",
    edits: [
      [
        cursor,
        "const lost = Math.min(beginSequenceNumber, to) - from",
        "const lost = Math.min(beginSequenceNumber, to, from) - from"
      ],
      [cursor, "if (lost <= 0) return cursorAt(stored)", "if (lost < Infinity) return cursorAt(stored)"]
    ]
  }),
  of({
    name: "hub-gap-told-again",
    breaks: "L1: what retention took is a dead row of every chunk that follows",
    edits: [[cursor, "this.#gap = undefined\n    const lost", "const lost"]]
  }),
  of({
    name: "hub-idle-unanswered",
    breaks: "T7, E4: a partition of which the hub says nothing is taken to be read to its end",
    edits: [
      [
        cursor,
        "if (Option.isNone(info)) return Option.some(unknownEnd)",
        "if (Option.isNone(info)) return Option.some(this.start)"
      ]
    ]
  })
]
