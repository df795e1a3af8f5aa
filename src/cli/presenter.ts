/** How help, version and wrong usage are told: help and version on stdout, wrong usage in a line on stderr. */
import type * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { oneLine } from "./words.ts"

const formatter = CliOutput.defaultFormatter({ colors: false, globalFlags: "full" })

const suggestionsOf = (error: CliError.NonShowHelpErrors): string => {
  const found = "suggestions" in error ? error.suggestions : []
  return found.length === 0 ? "" : `; did you mean ${found.join(" or ")}?`
}

/** A wrong invocation in a line. */
export const describeUsage = (error: CliError.NonShowHelpErrors): string => {
  const [message] = error.message.split("\n\n  Did you mean")
  return `${oneLine(message)}${suggestionsOf(error)}`
}

/** The presenter, as a layer. */
export const presenter: Layer.Layer<never> = CliOutput.layerPresenter({
  present: (event) => {
    switch (event._tag) {
      case "Help":
        return Console.log(formatter.formatHelpDoc(event.helpDoc))
      case "Version":
        return Console.log(event.version)
      case "InvalidInvocation": {
        const lines = event.errors.map((error) => Console.error(`tidemark: ${describeUsage(error)}`))
        const hint = Console.error(`Try: ${event.commandPath.join(" ")} --help`)
        return Effect.all([...lines, hint], { discard: true })
      }
    }
  }
})
