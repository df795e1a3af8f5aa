/**
 * Takes secrets out of text that goes to logs or to other processes: a second line of defence. The first is that
 * connections are `Redacted` values, which show as `<redacted>` wherever they stand.
 */

const hidden = "<redacted>"

/** Each keeps what says which secret it was, in its first group. */
const patterns: ReadonlyArray<RegExp> = [
  // connection strings: SharedAccessKey=..., AccountKey=..., Password=...
  /\b((?:SharedAccessKey|AccountKey|SharedAccessSignature|password|pwd|secret|client_secret|api[-_]?key|access[-_]?token)["']?\s*[=:]\s*["']?)(?!<redacted>)[^\s;,&"'}]+/gi,
  // signed URLs: ?sig=...
  /([?&](?:sig|token|X-Amz-Signature)=)[^\s&"']+/gi,
  // scheme://user:password@host
  /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"']*:)[^\s/@"']+(?=@)/gi,
  /(\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{8,}/g
]

/** The same text without what looks like a secret. */
export const withoutSecrets = (text: string): string => {
  let out = text
  for (const pattern of patterns) out = out.replace(pattern, `$1${hidden}`)
  return out
}
