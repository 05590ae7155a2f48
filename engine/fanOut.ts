import type { Cancellation } from './ports.ts'

/**
 * Runs the task for every item, at most `limit` at a time, and gives the answers in the items' order; after `signal` those
 * of the items that were begun. The task must not throw for what it can return.
 */
export async function fanOut<Item, Answer>(items: readonly Item[], limit: number, task: (item: Item) => Promise<Answer>, signal?: Cancellation): Promise<Answer[]> {
  const answers: Answer[] = []
  const waiting = items.entries()
  const work = async (): Promise<void> => {
    for (const [index, item] of waiting) {
      if (signal?.aborted) return
      answers[index] = await task(item)
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work))
  return answers
}
