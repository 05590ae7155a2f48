/** Text from a host that will reach a terminal or a page: control and format characters are shown as `?`, and it ends somewhere. */
export const printable = (text: string, lengthMax = 200): string => text.slice(0, lengthMax).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')
