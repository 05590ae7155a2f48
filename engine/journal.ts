import type { World } from './world.ts'
import type { JournalEntry, NewJournalEntry } from './store.ts'

/** What one run writes about one subject; every line is durable, and then reported, before the caller goes on. */
export interface Journal {
  readonly run: string
  action(name: string, detail?: NewJournalEntry['detail']): Promise<JournalEntry>
  signal(name: string, signal?: Pick<NewJournalEntry, 'detail' | 'fault'>): Promise<JournalEntry>
  /** The same run, writing about a host, a plan, a generation. */
  about(subject: Pick<NewJournalEntry, 'host' | 'plan' | 'generation'>): Journal
}

export const openJournal = (world: World): Journal => journalOf(world, world.random.uuid(), {})

function journalOf(world: World, run: string, subject: Pick<NewJournalEntry, 'host' | 'plan' | 'generation'>): Journal {
  const write = async (entry: Pick<NewJournalEntry, 'kind' | 'name' | 'detail' | 'fault'>): Promise<JournalEntry> => {
    const durable = await world.store.appendJournal({ run, at: world.clock.now(), ...subject, ...entry })
    world.report(durable)
    return durable
  }
  return {
    run,
    action: (name, detail) => write({ kind: 'action', name, ...(detail ? { detail } : {}) }),
    signal: (name, signal) => write({ kind: 'signal', name, ...signal }),
    about: (more) => journalOf(world, run, { ...subject, ...more }),
  }
}
