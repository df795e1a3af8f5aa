/** What the job of the crash checks is told through its environment. */

/** Its settings. */
export interface JobSettings {
  /** The files to read. */
  readonly input: string
  /** Pause before each few rows of a lane. */
  readonly paceMs: number
  readonly parallelism: number
}

/** The environment of a process with these settings. */
export const environmentOf = ({ input, paceMs, parallelism }: JobSettings): { readonly [name: string]: string } => ({
  KILL_TEST_INPUT: input,
  KILL_TEST_PACE_MS: String(paceMs),
  KILL_TEST_PARALLELISM: String(parallelism)
})

/** The settings of this process. */
export const jobSettings = (env: { readonly [name: string]: string | undefined }): JobSettings => ({
  input: env["KILL_TEST_INPUT"] ?? "./in",
  paceMs: Number(env["KILL_TEST_PACE_MS"] ?? 20),
  parallelism: Number(env["KILL_TEST_PARALLELISM"] ?? 1)
})
