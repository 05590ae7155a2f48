/**
 * Walks the positions 0 … size − 1, each once, in an order that looks random: position k is (first + k × step) mod size with
 * step and size coprime. Neighbouring ports are asked far apart, and nothing has to be stored.
 */
export interface PortOrder {
  readonly size: number
  readonly first: number
  readonly step: number
}

/** `random` gives uniform numbers in [0, 1). */
export function portOrder(size: number, random: () => number): PortOrder {
  const first = Math.floor(random() * size)
  let step = 1 + Math.floor(random() * size)
  while (greatestCommonDivisor(step, size) !== 1) step += 1
  return { size, first, step: step % size }
}

export const following = (order: PortOrder, position: number): number => {
  const next = position + order.step
  return next >= order.size ? next - order.size : next
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}
