/** The program beside an embedded service, for tests of the commands that reach a hub. */
import { Effect } from "effect"
import type { EmbeddedOptions, EmbeddedService } from "../../src/connectors/eventhubs/embedded/index.ts"
import { serviceWith } from "../eventhubs/hubs.ts"
import type { Ended, Project } from "./program.ts"

/** A test with a service of its own: one hub, `hub`, of two partitions. */
export const withHub = (
  use: (service: EmbeddedService) => Promise<void>,
  options: EmbeddedOptions = {}
): Promise<void> =>
  Effect.runPromise(
    Effect.scoped(Effect.flatMap(serviceWith(2, options), (service) => Effect.promise(() => use(service))))
  )

/** Runs the program to its end with this connection string in the environment, on this input. */
export const onInput = (
  project: Project,
  connection: string,
  input: string | Uint8Array,
  ...args: ReadonlyArray<string>
): Promise<Ended> => {
  const running = project.startWith({ EVENTHUB_CONNECTION_STRING: connection }, ...args)
  // One that refuses its arguments is gone before it reads.
  running.child.stdin?.on("error", () => undefined)
  running.child.stdin?.end(input)
  return running.ended
}
