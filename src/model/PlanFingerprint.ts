/**
 * What a checkpoint remembers of the plan that wrote it (rule C7): enough to see whether another plan means the same.
 * Made of a plan by `streams/Fingerprint.ts`, compared by `checkpoint/PlanChange.ts`.
 */

/** A value of a parameter, as plain JSON. */
export type PlanValue =
  | null
  | boolean
  | number
  | string
  | ReadonlyArray<PlanValue>
  | { readonly [name: string]: PlanValue }

/** One operator, source or output. */
export interface OperatorFingerprint {
  /** Its stable name: in the ledger, in errors, and of its state. */
  readonly name: string
  readonly kind: string
  /** Names of the operators it reads. */
  readonly inputs: ReadonlyArray<string>
  /** What its meaning depends on: window sizes, fields, modes. Lambdas are `<lambda>`, with their version if they have one. */
  readonly parameters: { readonly [name: string]: PlanValue }
  /** Whether it has state in the checkpoint, and of which shape; absent: it has none. */
  readonly state?: PlanValue
}

/** A whole plan, inputs before what they feed. */
export interface PlanFingerprint {
  readonly operators: ReadonlyArray<OperatorFingerprint>
}
