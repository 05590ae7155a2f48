import { appendFileSync } from 'node:fs'
import { createServer } from 'node:http'

/** Receives alerts by webhook, and writes the id of each down. */
const [port = '0', file = ''] = process.argv.slice(2)

createServer((request, response) => {
  let text = ''
  request.on('data', (chunk) => (text += String(chunk)))
  request.on('end', () => {
    const { id } = JSON.parse(text) as { id?: string }
    appendFileSync(file, `${id ?? text}\n`)
    response.end('{}')
  })
}).listen(Number(port), '127.0.0.1')
