/**
 * Bounds what the service may send ahead of a reader. Azure's SDK grants credit for a whole batch at every receive, also
 * for one that brought little or nothing, so that a quiet partition lets a burst of any size into memory
 * (azure-sdk-for-js#39452). Here a link is never granted more than a fixed number of events beyond those it has got.
 */

/** What is used of rhea's receiving link. */
interface Link {
  readonly credit: number
  readonly name?: string
  readonly source?: { readonly address?: unknown }
  add_credit: (credit: number) => void
}

interface AmqpConnection {
  readonly each_receiver?: (action: (link: Link) => void) => void
}

/** The SDK's client, as far as the way to its links goes. */
interface Internals {
  readonly _context?: { readonly connection?: { readonly _connection?: AmqpConnection } }
}

const capped = new WeakSet<Link>()

/** Caps the links of a client that are not capped yet, where this release of the SDK lets them be found. */
export const capCredit = (client: unknown, creditMax: number): void => {
  const connection = (client as Internals)._context?.connection?._connection
  if (typeof connection?.each_receiver !== "function") return
  connection.each_receiver((link) => {
    const address = link.source?.address
    if (capped.has(link) || typeof address !== "string" || !/\/Partitions\//i.test(address)) return
    const add = link.add_credit
    if (typeof add !== "function" || typeof link.credit !== "number") return
    link.add_credit = (credit) => {
      const room = creditMax - link.credit
      if (room > 0) add.call(link, Math.min(credit, room))
    }
    capped.add(link)
  })
}
