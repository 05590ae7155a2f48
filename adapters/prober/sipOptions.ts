/** Addresses of documentation (RFC 5737): whoever answers, answers the sender (RFC 3581 rport). */
export const sipOptions = (transport: 'TCP' | 'UDP'): string =>
  [
    'OPTIONS sip:probe@192.0.2.1 SIP/2.0',
    `Via: SIP/2.0/${transport} 192.0.2.2:5060;branch=z9hG4bKportcullis;rport`,
    'Max-Forwards: 70',
    'To: <sip:probe@192.0.2.1>',
    'From: <sip:probe@192.0.2.2>;tag=portcullis',
    'Call-ID: portcullis@192.0.2.2',
    'CSeq: 1 OPTIONS',
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n')
