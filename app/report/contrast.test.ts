import { describe, expect, test } from 'vitest'
import { STYLE } from './style.ts'

/** WCAG 2.2, 1.4.3: text; 1.4.11: what must be seen to understand. */
const [TEXT_MIN, GRAPHIC_MIN] = [4.5, 3]

const schemes = [...STYLE.matchAll(/:root\{([^}]*)\}/g)].map(([, body = '']) => new Map([...body.matchAll(/--([\w-]+):(#[0-9a-f]{3,6})/g)].map(([, name = '', colour = '']) => [name, colour])))
const [light = new Map<string, string>(), dark = new Map<string, string>()] = schemes

describe.each([['light', light], ['dark', new Map([...light, ...dark])]] as const)('colours, %s', (_, colours) => {
  test.each([
    ['ink', 'paper', TEXT_MIN], ['ink', 'wash', TEXT_MIN], ['soft', 'paper', TEXT_MIN], ['soft', 'wash', TEXT_MIN],
    ['need', 'paper', TEXT_MIN], ['bad', 'paper', TEXT_MIN], ['warn', 'paper', TEXT_MIN],
    ['need-ink', 'need-wash', TEXT_MIN], ['bad-ink', 'bad-wash', TEXT_MIN], ['warn-ink', 'warn-wash', TEXT_MIN], ['need-ink', 'paper', TEXT_MIN],
    ['on', 'need', TEXT_MIN], ['on', 'bad', TEXT_MIN], ['on', 'warn', TEXT_MIN], ['paper', 'accent', TEXT_MIN],
    ['edge', 'paper', GRAPHIC_MIN], ['risk-high', 'paper', GRAPHIC_MIN], ['risk-medium', 'paper', GRAPHIC_MIN], ['risk-low', 'paper', GRAPHIC_MIN],
  ])('%s on %s', (front, back, least) => expect(contrast(colours.get(front), colours.get(back))).toBeGreaterThanOrEqual(least))
})

function contrast(one = '#000', other = '#000'): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].toSorted((a, b) => b - a)
  return (light + 0.05) / (dark + 0.05)
}

function luminance(colour: string): number {
  const digits = colour.length === 4 ? colour.slice(1).replaceAll(/./g, '$&$&') : colour.slice(1)
  const [red = 0, green = 0, blue = 0] = [0, 2, 4].map((at) => Number.parseInt(digits.slice(at, at + 2), 16) / 255).map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
