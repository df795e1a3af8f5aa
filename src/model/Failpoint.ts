/**
 * Named moments at which a test may stop the process: before and after each step on which recovery depends
 * (`docs/SEMANTICS.md`, "Failpoints"; what each leaves behind: ARCHITECTURE, "The life of an epoch"). Off, as always
 * outside of tests, a failpoint is one look at a reference.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** What happens at a failpoint: `name` is the step, `when` the side of it. Undefined: nothing. */
export type FailpointHandler = (name: string, when: "before" | "after") => Effect.Effect<void>

/** The handler in force; a reference, so that it never shows in `R`. */
export const Failpoints: Context.Reference<FailpointHandler | undefined> = Context.Reference<
  FailpointHandler | undefined
>("tidemark/Failpoints", { defaultValue: () => undefined })

/** Runs a step between its two failpoints. */
export const failpoint = <A, E, R>(name: string, step: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Failpoints, (handler) => {
    if (handler === undefined) return step
    return Effect.tap(Effect.andThen(handler(name, "before"), step), () => handler(name, "after"))
  })
