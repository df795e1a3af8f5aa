/** What laws say, whatever a user's own law returns or throws. */
import * as Effect from "effect/Effect"
import { show } from "../model/Options.ts"
import { NotSimulated } from "./HangingCalls.ts"

/** What a value is, for who expected another. */
export const kindOf = (value: unknown): string => {
  if (value instanceof Promise) return "a Promise"
  if (Effect.isEffect(value)) return "an Effect"
  return typeof value === "object" && value !== null ? `a ${value.constructor?.name ?? "value"}` : show(value)
}

/** What somebody returns who takes a law for something else: one that waits, or collects in another way. */
const isMistaken = (said: object): boolean =>
  "then" in said || Symbol.iterator in said || Effect.isEffect(said) || Object.getPrototypeOf(said) === Object.prototype

/** What a law said, in sentences. */
export const verdictOf = (said: unknown): ReadonlyArray<string> => {
  if (said === undefined || said === true) return []
  if (said === false) return ["it does not hold"]
  if (typeof said === "string") return [said]
  if (Array.isArray(said)) return said.map(String)
  // What `expect` returns is some object, and says nothing: it would have thrown.
  if (typeof said === "object" && said !== null && !isMistaken(said)) return []
  return [
    `it returned ${kindOf(said)}, which is no verdict: let it return sentences or false, or throw, and wait for nothing`
  ]
}

/** Asks a law: what is wrong, in sentences. One that throws is broken. */
export const ask = <A>(law: { readonly check: (outcome: A) => unknown }, outcome: A): ReadonlyArray<string> => {
  try {
    return verdictOf(law.check(outcome))
  } catch (error) {
    if (error instanceof NotSimulated) throw error
    return [error instanceof Error ? error.message : String(error)]
  }
}
