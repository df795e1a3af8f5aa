/** The options of the embedded service: what may be said, what holds where nothing is, and what is wrong with it. */
import * as Redacted from "effect/Redacted"
import type { OptionProblem } from "../../../model/Errors.ts"
import { integer, optionsOf, path, show, text } from "../../../model/Options.ts"
import type { Retention } from "./Hub.ts"
import { opaqueOffsets, type OffsetForm, plainOffsets } from "./startPosition.ts"

/** What a key allows: publishing, reading, or both. */
export type Right = "Send" | "Listen" | "Manage"

/** How long events are kept, and how many bytes of them a partition holds; whichever is reached first. */
export interface RetentionOptions {
  /** Default 24 hours. */
  readonly forMs?: number
  /** Bytes per partition, with 24 a record for the service; default 1 GiB. */
  readonly bytes?: number
}

/** One event hub. */
export interface HubOptions {
  /** 1 to 32, default 4. */
  readonly partitions?: number
  /** Beside `$Default`, which every hub has. */
  readonly consumerGroups?: ReadonlyArray<string>
  /** Default: that of the service. */
  readonly retention?: RetentionOptions
}

/** A key for shared access signatures; alone, it allows everything. */
export type SasKey =
  | Redacted.Redacted<string>
  | { readonly key: Redacted.Redacted<string> | string; readonly rights: ReadonlyArray<Right> }

/** Options of `start`; all may be left out. */
export interface EmbeddedOptions {
  /** By name; letters, digits, `.`, `-` and `_`. Default none. */
  readonly hubs?: { readonly [name: string]: HubOptions }
  /** Makes a hub that is asked for and not there; default `false`. */
  readonly createOnFirstUse?: false | { readonly partitions: number }
  /** Default `127.0.0.1`. */
  readonly host?: string
  /** Default 0: any free one. */
  readonly port?: number
  /** PEM texts. Default: plain TCP, which SDKs speak by connection strings with `UseDevelopmentEmulator=true`. */
  readonly tls?: { readonly cert: string | Uint8Array; readonly key: string | Uint8Array }
  /** By name. Default: every signature and token is accepted. */
  readonly sasKeys?: { readonly [name: string]: SasKey }
  readonly retention?: RetentionOptions
  /** A send that is larger is refused; default 1 MiB. */
  readonly messageBytesMax?: number
  /** Offsets that cannot be calculated with, as of geo-replicated hubs; default false. */
  readonly opaqueOffsets?: boolean
  /** Each lets 1 MB or 1000 events a second in; more is refused as busy. Default: as much as comes. */
  readonly throughputUnits?: number
  /** Events are kept in this folder, durably, and found again there. One service at a time. Default: in memory only. */
  readonly dataFolder?: string
  /** Default Effect's clock. */
  readonly now?: () => number
}

/** A hub as it is to be made. */
export interface HubSettings {
  readonly name: string
  readonly partitions: number
  readonly groups: ReadonlyArray<string>
  readonly retention: Retention
}

/** A key, ready to check signatures with. */
export interface KeySettings {
  readonly name: string
  readonly key: Redacted.Redacted<string>
  readonly rights: ReadonlySet<Right>
}

/** The options with their defaults. */
export interface Settings {
  readonly hubs: ReadonlyArray<HubSettings>
  readonly partitionsOnFirstUse: number | undefined
  readonly host: string
  readonly port: number
  readonly tls: { readonly cert: string | Uint8Array; readonly key: string | Uint8Array } | undefined
  /** Empty: everything is accepted. */
  readonly keys: ReadonlyMap<string, KeySettings>
  readonly retention: Retention
  readonly messageBytesMax: number
  readonly offsets: OffsetForm
  readonly throughputUnits: number | undefined
  readonly dataFolder: string | undefined
}

const partitionsMax = 32
const partitionsDefault = 4
const day = 24 * 60 * 60 * 1_000
const names = /^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,254}[a-zA-Z0-9])?$/

/** Whether a hub or a group may be called this. */
export const isName = (name: string): boolean => names.test(name)

const retentionOf = (
  at: string,
  given: RetentionOptions | undefined,
  usual: Retention,
  problems: Array<OptionProblem>
): Retention => {
  const { forMs = usual.forMs, bytes = usual.bytes } = optionsOf(given ?? {})
  return {
    forMs: integer(`${at}.forMs`, forMs, problems, { min: 1 }),
    bytes: integer(`${at}.bytes`, bytes, problems, { min: 1 })
  }
}

/** The settings of one hub. */
export const hubSettings = (
  name: string,
  given: HubOptions,
  retention: Retention,
  problems: Array<OptionProblem>
): HubSettings => {
  const at = `hubs.${name}`
  const { partitions = partitionsDefault, consumerGroups = [] } = optionsOf(given)
  if (!isName(name))
    problems.push({ option: at, value: show(name), fix: "is not a name for a hub: letters, digits, . - _" })
  for (const group of consumerGroups) {
    if (group.toLowerCase() !== "$default" && !isName(group))
      problems.push({
        option: `${at}.consumerGroups`,
        value: show(group),
        fix: "is not a name for a group: letters, digits, . - _"
      })
  }
  return {
    name,
    partitions: integer(`${at}.partitions`, partitions, problems, { min: 1, max: partitionsMax }),
    groups: consumerGroups,
    retention: retentionOf(`${at}.retention`, given.retention, retention, problems)
  }
}

const everything: ReadonlyArray<Right> = ["Send", "Listen", "Manage"]

const keyOf = (name: string, given: SasKey, problems: Array<OptionProblem>): KeySettings => {
  const { key, rights } = Redacted.isRedacted(given) ? { key: given, rights: everything } : given
  const unknown = rights.filter((right) => !everything.includes(right))
  if (unknown.length > 0)
    problems.push({
      option: `sasKeys.${name}.rights`,
      value: show(unknown),
      fix: 'must be "Send", "Listen" or "Manage"'
    })
  return {
    name,
    key: Redacted.isRedacted(key) ? key : Redacted.make(key),
    // As in Event Hubs, who may manage may send and listen.
    rights: new Set(rights.includes("Manage") ? everything : rights)
  }
}

/** The options with their defaults, and what is wrong with them. */
export const settingsOf = (given: EmbeddedOptions, problems: Array<OptionProblem>): Settings => {
  const o = optionsOf(given)
  const retention = retentionOf("retention", o.retention, { forMs: day, bytes: 1 << 30 }, problems)
  const first = o.createOnFirstUse === undefined || o.createOnFirstUse === false ? undefined : o.createOnFirstUse
  return {
    hubs: Object.entries(o.hubs ?? {}).map(([name, hub]) => hubSettings(name, hub, retention, problems)),
    partitionsOnFirstUse:
      first && integer("createOnFirstUse.partitions", first.partitions, problems, { min: 1, max: partitionsMax }),
    host: text("host", o.host ?? "127.0.0.1", problems),
    port: integer("port", o.port ?? 0, problems, { min: 0, max: 65_535 }),
    tls: o.tls,
    keys: new Map(Object.entries(o.sasKeys ?? {}).map(([name, key]) => [name, keyOf(name, key, problems)])),
    retention,
    messageBytesMax: integer("messageBytesMax", o.messageBytesMax ?? 1 << 20, problems, { min: 1024, max: 64 << 20 }),
    offsets: o.opaqueOffsets === true ? opaqueOffsets : plainOffsets,
    throughputUnits:
      o.throughputUnits === undefined
        ? undefined
        : integer("throughputUnits", o.throughputUnits, problems, { min: 1, max: 40 }),
    dataFolder:
      o.dataFolder === undefined
        ? undefined
        : path("dataFolder", o.dataFolder, problems, "must be the path of a folder")
  }
}
