/** The public surface of `tidemark/testing`: a user's own topology under faults. Needs fast-check beside tidemark. */
export * as Law from "./Law.ts"
export * as Simulation from "./Simulation.ts"
