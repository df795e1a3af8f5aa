/**
 * A service that nothing provides: a mistake in how a program is put together, not in a row or a connector. Effect says
 * so by a defect; it stays one, whatever else becomes of defects.
 */

/** The service that an effect asked for and nobody provided, when that is what a defect is. */
export const missingService = (defect: unknown): string | undefined => {
  const match = defect instanceof Error ? /^Service not found(?:: (.+))?$/.exec(defect.message) : null
  return match === null ? undefined : (match[1] ?? "(without a name)")
}
