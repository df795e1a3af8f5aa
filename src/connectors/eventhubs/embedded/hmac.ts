/** The signature of shared access signatures, by Node's own crypto. An edge: it depends on its input alone. */
import { createHmac, timingSafeEqual } from "node:crypto"

/** HMAC-SHA256 of the text, in base64. */
export const hmacSha256 = (key: string, text: string): string => createHmac("sha256", key).update(text).digest("base64")

/** Whether two secrets are the same, in a time that tells nothing of where they differ. */
export const isSame = (a: string, b: string): boolean => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
