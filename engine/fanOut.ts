/** Runs the task for every item, at most `limit` at a time, and gives the answers in the items' order. The task must not throw for what it can return. */
export async function fanOut<Item, Answer>(items: readonly Item[], limit: number, task: (item: Item) => Promise<Answer>): Promise<Answer[]> {
  const answers: Answer[] = []
  const waiting = items.entries()
  const work = async (): Promise<void> => {
    for (const [index, item] of waiting) answers[index] = await task(item)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work))
  return answers
}
