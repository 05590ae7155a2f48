import koffi from 'koffi'

/** One command buffer's outcome. */
export interface NftAnswer {
  readonly isOk: boolean
  readonly output: string
  readonly errors: string
}

/** nft(8) without a process for each command: a test of a thousand rulesets would spend most of its time starting it. libnftables(3). */
export interface Nft {
  run(commands: string): NftAnswer
  /** Errors then tell `PATH:LINE:COLUMN`. */
  runFile(path: string): NftAnswer
}

// libnftables.h, NFT_CTX_OUTPUT_JSON.
const OUTPUT_JSON = 1 << 4

const library = koffi.load('libnftables.so.1')
const calls = {
  create: library.func('void *nft_ctx_new(uint32_t)'),
  bufferOutput: library.func('int nft_ctx_buffer_output(void *)'),
  bufferErrors: library.func('int nft_ctx_buffer_error(void *)'),
  setFlags: library.func('void nft_ctx_output_set_flags(void *, unsigned int)'),
  run: library.func('int nft_run_cmd_from_buffer(void *, const char *)'),
  runFile: library.func('int nft_run_cmd_from_filename(void *, const char *)'),
  output: library.func('const char *nft_ctx_get_output_buffer(void *)'),
  errors: library.func('const char *nft_ctx_get_error_buffer(void *)'),
}

/** In the network namespace of this process. */
export function openNft(form: 'text' | 'json'): Nft {
  const context: unknown = calls.create(0)
  calls.bufferOutput(context)
  calls.bufferErrors(context)
  if (form === 'json') calls.setFlags(context, OUTPUT_JSON)
  const answer = (status: unknown): NftAnswer => ({ isOk: status === 0, output: calls.output(context) as string, errors: calls.errors(context) as string })
  return { run: (commands) => answer(calls.run(context, commands)), runFile: (path) => answer(calls.runFile(context, path)) }
}

export function mustRun(nft: Nft, commands: string): string {
  const { isOk, output, errors } = nft.run(commands)
  if (!isOk) throw new Error(`nft: ${errors}\n${commands.slice(0, 2000)}`)
  return output
}
