/** Connection strings of Azure: `Name=value;Name=value`. Pure. */

/** The parts of a connection string, by name in lower case; values may hold more `=`. */
export const connectionParts = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text
      .split(";")
      .filter((part) => part.includes("="))
      .map((part) => {
        const at = part.indexOf("=")
        return [part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim()]
      })
  )
