/** A time span on the command line: `500ms`, `30s`, `10m`, `2h`, `1d`, or in words, `"10 minutes"`. */
import * as Flag from "effect/cli/Flag"
import type { OptionProblem } from "../model/Errors.ts"
import { durationMs } from "../model/Options.ts"

const units: { readonly [short: string]: string } = {
  ms: "millis",
  s: "seconds",
  m: "minutes",
  min: "minutes",
  h: "hours",
  d: "days"
}

/** Milliseconds of a time span as people write it; undefined when it is none. */
export const parseSpan = (text: string): number | undefined => {
  const short = /^([0-9]+(?:\.[0-9]+)?) ?([a-z]+)$/.exec(text.trim())
  const unit = short !== null && Object.hasOwn(units, short[2]) ? units[short[2]] : undefined
  const problems: Array<OptionProblem> = []
  const words = unit === undefined || short === null ? text.trim() : `${short[1]} ${unit}`
  const ms = durationMs("span", words as `${number} seconds`, problems, { min: 0 })
  return problems.length === 0 ? ms : undefined
}

/** A flag that takes a time span, as milliseconds. */
export const durationFlag = (name: string): Flag.Flag<number> =>
  Flag.String(name).pipe(
    Flag.withMetavar("DURATION"),
    Flag.mapTryCatch(
      (text) => {
        const ms = parseSpan(text)
        if (ms === undefined) throw new Error(text)
        return ms
      },
      () => 'a time span such as 500ms, 30s, 10m or "2 hours"'
    )
  )
