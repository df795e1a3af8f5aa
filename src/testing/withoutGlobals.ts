/** fast-check as it comes, whatever the project under test has set for its own properties. */
import * as fc from "fast-check"

/**
 * Runs something without the global settings of fast-check: limits of time would end a search of histories early, and sizes
 * would make other cases of the same token. Synchronous: nobody else sees them gone.
 */
export const withoutGlobals = <A>(run: () => A): A => {
  const settings = fc.readConfigureGlobal()
  fc.resetConfigureGlobal()
  try {
    return run()
  } finally {
    fc.configureGlobal(settings)
  }
}
