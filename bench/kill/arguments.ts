/** What a crash check is told on its command line: numbers by name, `--kills 2000`. */
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import type { WorldOptions } from "./world.ts"

/** Takes `--name word`, one of `words`, of which the first is the default, out of the command line. Wrong ones end the process with 2. */
export const word = <W extends string>(name: string, words: readonly [W, ...ReadonlyArray<W>]): W => {
  const at = process.argv.indexOf(`--${name}`)
  if (at < 0) return words[0]
  const [, given] = process.argv.splice(at, 2)
  const found = words.find((one) => one === given)
  if (found !== undefined) return found
  console.error(`--${name} ${String(given)}: there are ${words.join(", ")}`)
  return process.exit(2)
}

/** Reads them; `defaults` says which there are. Wrong ones end the process with 2. */
export const numbers = <N extends string>(defaults: { readonly [name in N]: number }): {
  readonly [name in N]: number
} => {
  const names = Object.keys(defaults) as Array<N>
  try {
    const { values } = parseArgs({
      options: Object.fromEntries(names.map((name) => [name, { type: "string" as const }]))
    })
    const read = names.map((name) => {
      const given = values[name]
      const value = given === undefined ? defaults[name] : Number(given)
      if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} ${String(given)} is not a number`)
      return [name, value] as const
    })
    return Object.fromEntries(read) as { readonly [name in N]: number }
  } catch (error) {
    console.error(
      `${error instanceof Error ? error.message : String(error)}; there are: ${names.map((name) => `--${name} ${defaults[name]}`).join(" ")}`
    )
    return process.exit(2)
  }
}

// So that the processes of the job end with the check.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130))

/** What all checks have in common. Processes of the job sleep most of the time, so there may be more than cores. */
export const common = { workers: availableParallelism() + 1, seed: 1, flights: 3000, pace: 15 }

/** What the options say of the world. */
export const worldOf = (o: {
  readonly seed: number
  readonly flights: number
  readonly pace: number
}): WorldOptions => ({
  seed: o.seed,
  flights: o.flights,
  paceMs: o.pace,
  say: (line) => console.error(line)
})

/** Prints a result as one line of JSON; the process ends with 1 when it is not ok. */
export const conclude = <R extends { readonly ok: boolean }>(result: R): void => {
  console.log(JSON.stringify(result))
  process.exitCode = result.ok ? 0 : 1
}
