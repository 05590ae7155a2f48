import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CATALOGUE } from './catalogue.ts'
import { isOver, parseDay } from './day.ts'
import { editDistance, nearest } from './nearest.ts'
import { deriveNeedId } from './needId.ts'
import type { Host, Selector } from './policy.ts'
import { formatSchedule, parseSchedule } from './schedule.ts'
import { indexHosts, selectHosts } from './selector.ts'
import { formatServicePort, parseServicePorts } from './service.ts'

describe('the catalogue', () => {
  test('has titles in both languages and at least one port for each service', () => {
    expect(CATALOGUE.size).toBeGreaterThanOrEqual(60)
    for (const service of CATALOGUE.values()) {
      expect(service.ports.length).toBeGreaterThan(0)
      expect(service.titles?.zh).toMatch(/\p{Script=Han}|RADIUS|LDAP|iSCSI/u)
      expect(service.titles?.en).toBe(service.title)
      expect(service.name).toMatch(/^[a-z][a-z0-9-]*$/)
    }
  })

  test.each([
    ['ssh', '22/tcp'],
    ['dns', '53/tcp 53/udp'],
    ['dicom', '104/tcp 11112/tcp'],
    ['nodeport', '30000-32767/tcp 30000-32767/udp'],
    ['winrm', '5985-5986/tcp'],
    ['ike', '500/udp 4500/udp'],
  ])('%s is %s', (name, ports) => {
    expect(CATALOGUE.get(name)?.ports.map(formatServicePort).join(' ')).toBe(ports)
  })
})

describe('service ports', () => {
  test.each([
    ['5133/tcp', '5133/tcp'],
    ['53/tcp+udp', '53/tcp 53/udp'],
    ['60000-61000/udp', '60000-61000/udp'],
    ['132/sctp', '132/sctp'],
  ])('%s', (written, expected) => {
    const ports = parseServicePorts(written)
    expect(ports.ok && ports.value.map(formatServicePort).join(' ')).toBe(expected)
  })

  test.each(['5133', 'tcp', '/tcp', '5133/', '5133/tpc', '70000/tcp', '5133/tcp/udp', '5133/tcp+', '20-10/tcp', ''])('%j is refused', (written) => {
    expect(parseServicePorts(written).ok).toBe(false)
  })
})

describe('schedules', () => {
  test.each([
    ['mon-fri 08:00-18:00 Asia/Shanghai', 'mon,tue,wed,thu,fri 08:00-18:00 Asia/Shanghai'],
    ['daily 01:00-02:30 UTC', 'mon,tue,wed,thu,fri,sat,sun 01:00-02:30 UTC'],
    ['sat-mon 22:00-02:00 UTC', 'mon,sat,sun 22:00-02:00 UTC'],
    ['sun,mon 00:00-24:00 UTC', 'mon,sun 00:00-24:00 UTC'],
    ['monthly 15,1 02:00-04:00 America/Argentina/Ushuaia', 'monthly 1,15 02:00-04:00 America/Argentina/Ushuaia'],
    ['mon 01:00-02:00 UTC;  tue 03:00-04:00 Etc/GMT+8', 'mon 01:00-02:00 UTC; tue 03:00-04:00 Etc/GMT+8'],
  ])('%s', (written, canonical) => {
    const schedule = parseSchedule(written)
    expect(schedule.ok && formatSchedule(schedule.value)).toBe(canonical)
    expect(parseSchedule(canonical)).toEqual(schedule)
  })

  test.each([
    '', 'always', 'mon', 'mon 08:00-18:00', 'mon 8:00-18:00 UTC', 'mon 08:60-18:00 UTC', 'mon 24:00-25:00 UTC', 'mon 00:00-00:00 UTC', 'mon 08:00-24:01 UTC',
    'mon-tue-wed 08:00-18:00 UTC', 'mon, 08:00-18:00 UTC', 'monthly 0 01:00-02:00 UTC', 'monthly 32 01:00-02:00 UTC', 'monthly 01:00-02:00 UTC',
    'Mon 08:00-18:00 UTC', 'mon 08:00-18:00 UTC extra', 'mon 08:00-18:00 UTC;', 'mon 08:00-18:00 ../etc/passwd',
  ])('%j is refused', (written) => {
    expect(parseSchedule(written).ok).toBe(false)
  })
})

describe('days', () => {
  test.each([
    ['2027-03-01', Date.UTC(2027, 2, 1)],
    ['2028-02-29', Date.UTC(2028, 1, 29)],
    ['2000-02-29', Date.UTC(2000, 1, 29)],
    ['2027-02-29', undefined],
    ['1900-02-29', undefined],
    ['2027-04-31', undefined],
    ['2027-00-10', undefined],
    ['2027-13-01', undefined],
    ['2027-1-1', undefined],
    ['01.03.2027', undefined],
    ['2027-03-01T00:00:00Z', undefined],
  ])('%s', (written, expected) => {
    expect(parseDay(written)).toBe(expected)
  })

  test('a day is over when it has ended everywhere', () => {
    const day = Date.UTC(2027, 2, 1)
    expect(isOver(day, day)).toBe(false)
    expect(isOver(day, Date.UTC(2027, 2, 2, 11, 59))).toBe(false)
    expect(isOver(day, Date.UTC(2027, 2, 2, 12))).toBe(true)
  })
})

describe('guessing', () => {
  test.each([
    ['htps', 'https'],
    ['ofice', 'office'],
    ['HTTPS', 'https'],
    ['offcie', 'office'],
    ['postgres', 'postgresql'],
    ['xyzzy', undefined],
    ['a', undefined],
    ['', undefined],
  ])('%s → %s', (written, expected) => {
    expect(nearest(written, ['http', 'https', 'office', 'postgresql'])).toBe(expected)
  })

  test('distance is zero exactly for the same, symmetric, and at most the longer length', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 7 })
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a, b) === 0).toBe(a === b)
        expect(editDistance(a, b)).toBe(editDistance(b, a))
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length))
      }),
    )
  })
})

describe('selecting hosts', () => {
  const host = (name: string, labels: Record<string, string>): Host => ({ name, addresses: [], labels, tier: 'standard', transport: { kind: 'local' } })
  const fleet = [host('web-2', { role: 'web', site: 'west' }), host('db-1', { role: 'db', site: 'east' }), host('web-1', { role: 'web', site: 'east' }), host('bare', {})]

  test.each<[string, Selector, string[]]>([
    ['all', { kind: 'all' }, ['bare', 'db-1', 'web-1', 'web-2']],
    ['names', { kind: 'names', names: ['web-2', 'db-1', 'web-2', 'gone'] }, ['db-1', 'web-2']],
    ['a label', { kind: 'labels', labels: { role: ['web'] } }, ['web-1', 'web-2']],
    ['one of several values', { kind: 'labels', labels: { role: ['web', 'db'] } }, ['db-1', 'web-1', 'web-2']],
    ['two labels', { kind: 'labels', labels: { role: ['web'], site: ['east'] } }, ['web-1']],
    ['a label nobody has', { kind: 'labels', labels: { tier: ['web'] } }, []],
    ['a value nobody has', { kind: 'labels', labels: { role: ['web'], site: ['north'] } }, []],
    ['a label named like a method', { kind: 'labels', labels: { constructor: ['x'] } }, []],
  ])('%s', (_, selector, expected) => {
    expect(selectHosts(selector, indexHosts(fleet))).toEqual(expected)
  })
})

test('a derived id is the same however its lists are ordered, and holds only what an id may', () => {
  const one = deriveNeedId('https', { kind: 'labels', labels: { site: ['west', 'east'], role: ['web'] } }, ['office', '10.0.0.0/8'])
  expect(one).toBe('https/role=web,site=east+west/10.0.0.0/8+office')
  expect(deriveNeedId('https', { kind: 'labels', labels: { role: ['web'], site: ['east', 'west'] } }, ['10.0.0.0/8', 'office'])).toBe(one)
  expect(deriveNeedId('ssh', { kind: 'labels', labels: { role: ['数据库 1'] } }, ['any'])).toMatch(/^[A-Za-z0-9._:/@,=+-]+$/)
})
