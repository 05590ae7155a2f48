import type { Fault } from '@portcullis/core/fault/fault.ts'

/** Why a host gave no answer. One function a fault, so that a caller cannot forget one of its facts. */

export const unreachable = (host: string, said: string): Fault => ({
  code: 'HOST_UNREACHABLE',
  what: { en: `${host} cannot be reached: ${said}`, zh: `无法连接 ${host}：${said}` },
  next: {
    en: 'check that it is up, its address and port, and that the path from the controller to it is open',
    zh: '请检查主机是否在线、地址与端口是否正确，以及控制端到主机的网络是否放通',
  },
})

export const authRefused = (host: string, said: string): Fault => ({
  code: 'HOST_AUTH_REFUSED',
  what: { en: `${host} refuses our key: ${said}`, zh: `${host} 拒绝了我们的密钥：${said}` },
  next: {
    en: "put the public key into the user's authorized_keys on the host, or name another identityFile",
    zh: '请将公钥加入主机用户的 authorized_keys，或在 identityFile 中指定其他密钥',
  },
})

export const hostKeyChanged = (host: string, destination: string): Fault => ({
  code: 'HOST_KEY_CHANGED',
  what: {
    en: `${host} answers with another host key than the known one: it was set up anew, or somebody stands between`,
    zh: `${host} 的主机密钥与已知的不同：主机可能已重装，也可能有人在中间拦截`,
  },
  next: {
    en: `verify the new key on the host's console; only then: ssh-keygen -R ${destination}, and add the new one`,
    zh: `请先在主机控制台核对新密钥，确认后再执行 ssh-keygen -R ${destination} 并加入新密钥`,
  },
})

export const hostKeyUnknown = (host: string, destination: string): Fault => ({
  code: 'HOST_KEY_UNKNOWN',
  what: { en: `the host key of ${host} is not in known_hosts`, zh: `known_hosts 中没有 ${host} 的主机密钥` },
  next: {
    en: `compare the output of ssh-keyscan ${destination} with the host's console, then add it to known_hosts`,
    zh: `请将 ssh-keyscan ${destination} 的输出与主机控制台核对后加入 known_hosts`,
  },
})

export const sudoRefused = (host: string, said: string): Fault => ({
  code: 'HOST_SUDO_REFUSED',
  what: { en: `sudo on ${host} does not run portcullis-host: ${said}`, zh: `${host} 上的 sudo 不允许运行 portcullis-host：${said}` },
  next: {
    en: 'add to sudoers: USER ALL=(root) NOPASSWD: /usr/local/sbin/portcullis-host',
    zh: '请在 sudoers 中加入：USER ALL=(root) NOPASSWD: /usr/local/sbin/portcullis-host',
  },
})

export const namespaceMissing = (host: string, namespace: string): Fault => ({
  code: 'HOST_NAMESPACE_MISSING',
  what: { en: `${host} has no network namespace ${namespace}`, zh: `${host} 的网络命名空间 ${namespace} 不存在` },
  next: { en: 'start the lab again; `ip netns list` shows what there is', zh: '请重新启动实验环境；可用 `ip netns list` 查看现有命名空间' },
})

export const timedOut = (host: string, verb: string, timeoutMs: number): Fault => ({
  code: 'HOST_TIMEOUT',
  what: {
    en: `${host} did not answer ${verb} within ${timeoutMs} ms; whether it was done is not known`,
    zh: `${host} 在 ${timeoutMs} 毫秒内没有响应 ${verb}；操作是否完成未知`,
  },
  next: {
    en: 'ask for its version to see which generation is live; an armed revert still fires by itself',
    zh: '请查询 version 确认当前代次；已设定的自动回退仍会按时生效',
  },
})

export const cancelled = (host: string, verb: string): Fault => ({
  code: 'HOST_CANCELLED',
  what: { en: `${verb} on ${host} was cancelled; whether it was done is not known`, zh: `${host} 上的 ${verb} 已取消；操作是否完成未知` },
})

export const linkLost = (host: string, verb: string, said: string): Fault => ({
  code: 'HOST_LINK_LOST',
  what: {
    en: `the connection to ${host} ended during ${verb}; whether it was done is not known${said && `: ${said}`}`,
    zh: `执行 ${verb} 时与 ${host} 的连接中断；操作是否完成未知${said && `：${said}`}`,
  },
  next: {
    en: 'call again: every verb gives the same result when repeated',
    zh: '请重试：每个操作重复执行结果相同',
  },
})

export const scriptMissing = (host: string, path: string): Fault => ({
  code: 'HOST_SCRIPT_MISSING',
  what: { en: `${host} has no ${path} that can be run`, zh: `${host} 上没有可执行的 ${path}` },
  next: { en: `run: portcullis host install ${host}`, zh: `请执行：portcullis host install ${host}` },
})

export const scriptOld = (host: string, found: string, ours: string): Fault => ({
  code: 'HOST_SCRIPT_OLD',
  what: { en: `${host} has portcullis-host ${found}, this controller has ${ours}`, zh: `${host} 上的 portcullis-host 版本为 ${found}，控制端为 ${ours}` },
  next: { en: `run: portcullis host install ${host}`, zh: `请执行：portcullis host install ${host}` },
})

export const scriptTampered = (host: string, path: string, found: string, ours: string): Fault => ({
  code: 'HOST_SCRIPT_TAMPERED',
  what: {
    en: `${path} on ${host} is not the one that was installed: its SHA-256 is ${found}, ours is ${ours}`,
    zh: `${host} 上的 ${path} 已被改动：其 SHA-256 为 ${found}，应为 ${ours}`,
  },
  next: {
    en: `find out who changed it; then run: portcullis host install ${host}`,
    zh: `请先查明改动来源，再执行：portcullis host install ${host}`,
  },
})

export const notReady = (host: string, said: string): Fault => ({
  code: 'HOST_NOT_READY',
  what: { en: `portcullis-host cannot work on ${host}: ${said}`, zh: `portcullis-host 无法在 ${host} 上工作：${said}` },
  next: {
    en: `log in as root or set sudo: true; portcullis host install ${host} names missing tools`,
    zh: `请以 root 登录或设置 sudo: true；portcullis host install ${host} 会列出缺少的工具`,
  },
})

export const toolsMissing = (host: string, tools: readonly string[]): Fault => ({
  code: 'HOST_TOOL_MISSING',
  what: { en: `${host} lacks: ${tools.join(', ')}`, zh: `${host} 缺少：${tools.join('、')}` },
  next: {
    en: 'install there (Debian): apt install nftables iproute2 conntrack util-linux; (RHEL): dnf install nftables iproute conntrack-tools util-linux',
    zh: '请在主机上安装（Debian）：apt install nftables iproute2 conntrack util-linux；（RHEL）：dnf install nftables iproute conntrack-tools util-linux',
  },
})

export const nftOld = (host: string, version: string): Fault => ({
  code: 'HOST_NFT_OLD',
  what: { en: `${host} has nft ${version}; the oldest that works is 1.0.6`, zh: `${host} 的 nft 版本为 ${version}，最低要求 1.0.6` },
  next: { en: 'upgrade nftables on the host (Debian 12, RHEL 9.4, Ubuntu 24.04 or newer)', zh: '请升级主机上的 nftables（Debian 12、RHEL 9.4、Ubuntu 24.04 或更新）' },
})

export const installFailed = (host: string, said: string): Fault => ({
  code: 'HOST_INSTALL_FAILED',
  what: { en: `portcullis-host could not be put on ${host}: ${said}`, zh: `无法在 ${host} 上安装 portcullis-host：${said}` },
  next: { en: 'check free space, and that root may write there', zh: '请检查磁盘空间以及 root 是否可写' },
})

export const badTransport = (host: string, word: string): Fault => ({
  code: 'HOST_TRANSPORT',
  what: {
    en: `the transport of ${host} has "${word}", with a character that a shell would change`,
    zh: `${host} 的连接设置中“${word}”含有 shell 会改写的字符`,
  },
  next: { en: 'use only letters, digits and . _ : / @ , = + -', zh: '只能使用字母、数字和 . _ : / @ , = + -' },
})

export const badArgument = (host: string, verb: string): Fault => ({
  code: 'HOST_ARGUMENT',
  what: { en: `${verb} for ${host} has an argument outside [A-Za-z0-9._:/@,=+-]`, zh: `${host} 的 ${verb} 参数含有 [A-Za-z0-9._:/@,=+-] 以外的字符` },
})

export const inputTooLarge = (host: string, verb: string, bytes: number, bytesMax: number): Fault => ({
  code: 'HOST_INPUT_TOO_LARGE',
  what: { en: `${verb} for ${host} has ${bytes} bytes of input; the limit is ${bytesMax}`, zh: `${host} 的 ${verb} 输入为 ${bytes} 字节，上限 ${bytesMax}` },
})

export const outputTooLarge = (host: string, verb: string, bytesMax: number): Fault => ({
  code: 'HOST_OUTPUT_TOO_LARGE',
  what: { en: `${host} answered ${verb} with more than ${bytesMax} bytes`, zh: `${host} 对 ${verb} 的响应超过 ${bytesMax} 字节` },
})
