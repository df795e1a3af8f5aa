/** The command `tidemark queries` and its options; what it does is in `queries.ts`, loaded when it is run. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { json } from "./flags.ts"

const module = Effect.promise(() => import("./queries.ts"))

const name = Argument.String("NAME").pipe(
  Argument.withDescription("the query's name; its id or run id where several processes run one of that name")
)

const jsonList = json("a line of JSON per query instead of a table")

const list = Command.make("list", { json: jsonList }, (options) =>
  Effect.flatMap(module, (queries) => queries.list(options.json))
).pipe(Command.withDescription("Lists the queries that run, of all processes of this user."))

const progress = Command.make("progress", { name }, (options) =>
  Effect.flatMap(module, (queries) => queries.progress(options.name))
).pipe(Command.withDescription("The last epoch of a query as JSON: every field of Spark's progress, and ours."))

const stop = Command.make(
  "stop",
  {
    name,
    savepoint: Flag.String("savepoint").pipe(
      Flag.withMetavar("LABEL"),
      Flag.withDescription("keep a copy of its last epoch under this label"),
      Flag.optional
    )
  },
  (options) => Effect.flatMap(module, (queries) => queries.stop(options.name, Option.getOrUndefined(options.savepoint)))
).pipe(
  Command.withDescription("Lets a query finish what is in flight and commit, and waits for its end."),
  Command.withExamples([{ command: "tidemark queries stop by-category --savepoint before-upgrade" }])
)

/** `tidemark queries`: as `tidemark queries list`, unless it is said what to do. */
export const queriesCommand = Command.make("queries", {}, () =>
  Effect.flatMap(module, (queries) => queries.list(false))
).pipe(
  Command.withDescription(
    [
      "Lists, shows and stops the queries that run in other processes of this user. Every `tidemark run` can be reached,",
      "  and every application that provides Monitor.control().",
      "",
      "  Exit codes: 0 done; 1 there is no such query, or it could not be reached; 2 wrong usage."
    ].join("\n")
  ),
  Command.withShortDescription("list, show and stop the queries that run"),
  Command.withSubcommands([list, progress, stop])
)
