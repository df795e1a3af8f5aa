/** A driver of worlds: a random walk that a seed decides, with crashes, rot, lost replies, timeouts and late effects. */
import { randomOf } from "../engine/random.ts"
import { type Modules, World } from "./world.ts"

/** How many of each misfortune a walk may have. */
export interface Misfortunes {
  readonly attempts: number
  readonly rot: number
  readonly lostReplies: number
  readonly timeouts: number
  readonly rows: number
}

/** Those of the explored model, together. */
export const usual: Misfortunes = { attempts: 3, rot: 1, lostReplies: 2, timeouts: 2, rows: 3 }

const stepsMax = 1_500

/** What a walk found; `trace` has its steps. */
export interface Found {
  readonly seed: number
  readonly fault: string
  readonly trace: ReadonlyArray<string>
}

/** Walks once. Undefined: nothing was found. */
export const walk = (modules: Modules, seed: number, m: Misfortunes = usual): Found | undefined => {
  const random = randomOf(seed)
  const world = new World({ modules, rows: m.rows, retained: 1 + random(2) })
  world.random = random
  let { rot, lostReplies, timeouts } = m
  let current = 0
  const found = (fault: string | undefined): Found | undefined =>
    fault === undefined ? undefined : { seed, fault, trace: [...world.trace] }
  world.start()
  for (let step = 0; step < stepsMax && world.bad === undefined; step++) {
    const luck = random(1_000)
    if (luck < 20 && world.outcomes.length < m.attempts) {
      current = world.outcomes.length
      world.start()
      continue
    }
    if (luck < 40 && rot > 0) {
      const sound = world.sound()
      if (sound.length > 0) {
        rot--
        // A primary that has no copy yet is where it hurts most; the maps keep the order of the puts.
        world.rot(random(2) === 0 ? sound[sound.length - 1] : sound[random(sound.length)], random(60))
        if (random(2) === 0) continue
        current = world.outcomes.length
        if (current < m.attempts) world.start()
        continue
      }
    }
    if (luck < 52) {
      const fault = world.freshFault()
      if (fault !== undefined) return found(fault)
    }
    const rare = world.pending.filter(({ kind }) => kind === "timeout" || kind === "late")
    if (luck < 100 && rare.length > 0) {
      const one = rare[random(rare.length)]
      if (one.kind === "late" || timeouts-- > 0) world.move(one)
      continue
    }
    const ready = world.pending.filter(({ kind }) => kind === "call" || kind === "pause")
    if (ready.length === 0) {
      if (world.outcomes.length >= m.attempts) break
      world.start()
      continue
    }
    if (random(8) === 0) current = random(world.outcomes.length)
    const own = ready.filter(({ attempt }) => attempt === current)
    const from = own.length > 0 ? own : ready
    const one = from[random(from.length)]
    if (one.lose !== undefined && lostReplies > 0 && random(6) === 0) {
      lostReplies--
      const applied = random(2) === 0
      world.move(one, (p) => p.lose?.(applied))
    } else world.move(one)
  }
  if (world.bad !== undefined) return found(world.bad)
  if (world.outcomes.length === m.attempts && world.outcomes.every((outcome) => outcome === "fenced")) {
    return found("every attempt fenced itself out")
  }
  return found(world.freshFault())
}

/**
 * Two attempts: the first makes `first` calls, the second `second`, then the first goes on to its end, then the second.
 * `rotten`: the primary that the first attempt put last rots when it is stopped.
 */
const preempt = (modules: Modules, first: number, second: number, rotten: boolean): Found | "fine" | "too late" => {
  const world = new World({ modules, rows: 1, retained: 1 })
  const step = (attempt: number): boolean => {
    const next = world.pending.find((p) => p.attempt === attempt && (p.kind === "call" || p.kind === "pause"))
    if (next === undefined || world.bad !== undefined) return false
    world.move(next)
    return true
  }
  world.start()
  for (let n = 0; n < first; n++) if (!step(0)) return "too late"
  const last = world.sound().at(-1)
  if (rotten && last?.includes("/primary/") === true) world.rot(last, 0)
  world.start()
  for (let n = 0; n < second; n++) if (!step(1)) return "too late"
  while (step(0) || step(1));
  const fault = world.bad ?? world.freshFault()
  return fault === undefined ? "fine" : { seed: first * 1_000 + second, fault, trace: [...world.trace] }
}

/** Every way in which a second attempt can cut the first short once, and be cut short by it; how many there were. */
export const preemptions = (modules: Modules, rotten: boolean): Found | number => {
  let explored = 0
  for (let first = 0; ; first++) {
    for (let second = 0; ; second++) {
      const found = preempt(modules, first, second, rotten)
      if (found === "too late" && second === 0) return explored
      if (found === "too late") break
      if (found !== "fine") return found
      explored++
    }
  }
}

/** Walks many times; the first thing that is found. */
export const walks = (modules: Modules, count: number, m: Misfortunes = usual, from = 1): Found | undefined => {
  for (let seed = from; seed < from + count; seed++) {
    const found = walk(modules, seed, m)
    if (found !== undefined) return found
  }
  return undefined
}
