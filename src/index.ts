/** The public surface of tidemark: the language, the built-in connectors, and what runs a pipeline. */
export * as EventStream from "./streams/EventStream.ts"
export * as Late from "./streams/Late.ts"
export * as Window from "./streams/Window.ts"
export type { Mode, Sink } from "./model/Sink.ts"
export type { Source } from "./model/Source.ts"
export type { Pipeline } from "./streams/Pipeline.ts"
