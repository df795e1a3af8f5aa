/** When an attach is answered: once it is decided, which may take a disk or a delay. */
import { Refusal } from "./conditions.ts"
import type { Operation } from "./FaultPlan.ts"
import type { Namespace } from "./Namespace.ts"
import type { AmqpError, Connection, Link } from "./rhea.ts"

/** Has an attach decided by `attach`, which says why it is refused if it is, and calls `attached` once it is answered. */
export type DecideAttach = (
  link: Link,
  operation: Operation,
  attach: () => Promise<AmqpError | undefined>,
  attached: () => void
) => void

/**
 * Puts answers off until they are decided: what rhea has noted to write is noted again then. A refusal is an attach too,
 * with a detach behind it. A link whose client has gone meanwhile is forgotten.
 */
export const attachDecider =
  (
    { faults, counts }: Namespace,
    connection: Connection,
    forget: (link: Link) => void,
    drop: () => void
  ): DecideAttach =>
  (link, operation, attach, attached) => {
    counts.attaches++
    link.state.open_requests = 0
    const answered = (refusal: AmqpError | undefined): void => {
      if (!link.is_remote_open()) return forget(link)
      link.state.open_requests = 1
      connection._register()
      if (refusal === undefined) attached()
      else link.close(refusal)
    }
    faults.whenDue(operation, () => {
      const injected = faults.take(operation)
      const decided = injected === undefined ? attach() : Promise.resolve(injected)
      decided.catch((error: Error) => Refusal.internal(error.message)).then(answered, drop)
    })
  }
