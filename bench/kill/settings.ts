/** What the job of the crash checks is told through its environment. */

/** Rows of a lane that are read at a time, after a pause. */
export const chunkRows = 16

/** The hub that flights are read from, where the input is one. */
export const hubName = "flights"

/** Whether an input is a hub, rather than files. */
export const isHub = (input: string): boolean => input.startsWith("Endpoint=")

/** Its settings. */
export interface JobSettings {
  /** The files to read, or the connection string of a service with a hub. */
  readonly input: string
  /** Pause before each few rows of a lane. */
  readonly paceMs: number
  readonly parallelism: number
  /** Whether the query restarts by itself when an attempt fails; default no, so that nothing is hidden. */
  readonly restarts?: boolean
}

/** The environment of a process with these settings. */
export const environmentOf = ({
  input,
  paceMs,
  parallelism,
  restarts = false
}: JobSettings): { readonly [name: string]: string } => ({
  KILL_TEST_INPUT: input,
  KILL_TEST_PACE_MS: String(paceMs),
  KILL_TEST_PARALLELISM: String(parallelism),
  KILL_TEST_RESTARTS: String(restarts)
})

/** The settings of this process. */
export const jobSettings = (env: { readonly [name: string]: string | undefined }): Required<JobSettings> => ({
  input: env["KILL_TEST_INPUT"] ?? "./in",
  paceMs: Number(env["KILL_TEST_PACE_MS"] ?? 20),
  parallelism: Number(env["KILL_TEST_PARALLELISM"] ?? 1),
  restarts: env["KILL_TEST_RESTARTS"] === "true"
})
