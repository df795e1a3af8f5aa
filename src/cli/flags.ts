/** Flags and arguments that several commands have, and kinds of values that they take. */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import { checkpointDefault } from "./advice.ts"
import { durationFlag } from "./durationFlag.ts"

/** Lines of a description, as the help shows them. */
export const indented = (lines: ReadonlyArray<string>): string => lines.join("\n  ")

/** A flag that takes a whole number of at least `min`, at most `max`; anything else is wrong usage. */
export const wholeNumber = (name: string, min: number, max = Number.MAX_SAFE_INTEGER): Flag.Flag<number> =>
  Flag.String(name).pipe(
    Flag.withMetavar("NUMBER"),
    Flag.mapTryCatch(
      (text) => {
        const number = Number(text)
        if (!/^-?[0-9]+$/.test(text) || number < min || number > max) throw new Error(text)
        return number
      },
      () =>
        `a whole number${max < Number.MAX_SAFE_INTEGER ? ` from ${min} to ${max}` : min < 0 ? "" : `, ${min} or more`}`
    )
  )

/** A text that is taken apart, or wrong usage with what was expected. */
export const parsed = <A>(parse: (text: string) => A | undefined, expected: string) =>
  Flag.mapTryCatch(
    (text: string) => {
      const value = parse(text)
      if (value === undefined) throw new Error(text)
      return value
    },
    () => expected
  )

/** The name of an event hub; undefined: it can be none. */
export const hubNamed = (text: string): string | undefined => (/^[\w.-]{1,256}$/.test(text) ? text : undefined)

/** `--connection-env VAR`. */
export const connectionEnv = Flag.String("connection-env").pipe(
  Flag.withMetavar("VAR"),
  Flag.withDescription("the variable that holds the connection string of the hub; default EVENTHUB_CONNECTION_STRING"),
  Flag.withDefault("EVENTHUB_CONNECTION_STRING")
)

/** `--timeout DURATION`, as milliseconds. */
export const timeout = durationFlag("timeout").pipe(
  Flag.withDescription("how long the hub may take to answer at first; default 15s"),
  Flag.withDefault(15_000)
)

/** `--checkpoint DIR`. */
export const checkpoint = Flag.String("checkpoint").pipe(
  Flag.withMetavar("DIR"),
  Flag.withDescription(
    `where the queries keep what must outlast them, dead letters too: a folder, or https:// or abfss:// of Azure Blob storage; default ${checkpointDefault}`
  ),
  Flag.withDefault(checkpointDefault)
)

/** `--accept OPERATOR`. */
export const accept = Flag.String("accept").pipe(
  Flag.withMetavar("OPERATOR"),
  Flag.withDescription("a change of plan that is meant, by the operator's name (tidemark plan); as often as needed"),
  Flag.atLeast(0)
)

/** `--json`. */
export const json = (description: string): Flag.Flag<boolean> =>
  Flag.Boolean("json").pipe(Flag.withDescription(description), Flag.withDefault(false))

/** `--verbose`. */
export const verbose = (description: string): Flag.Flag<boolean> =>
  Flag.Boolean("verbose").pipe(Flag.withDescription(description), Flag.withDefault(false))

/** The file of a job. */
export const jobFile = Argument.String("FILE").pipe(
  Argument.withDescription("a .ts, .mts, .js or .mjs file that exports a job by default")
)
