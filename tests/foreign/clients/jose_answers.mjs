// jose from npm, asked by jose_client.py: one JSON question per line on standard
// input, one JSON answer per line. Signatures that jose would not make (another
// hash, another form) come from Node's crypto.
import { createHmac, createPrivateKey, constants, sign } from 'node:crypto';
import { createInterface } from 'node:readline';
import * as jose from 'jose';

const bytes = (text) => Buffer.from(text, 'base64url');
const text = (data) => Buffer.from(data).toString('base64url');

async function importPrivate({ alg, key }) {
  return alg === 'HS256' ? bytes(key) : jose.importPKCS8(key, alg);
}

async function importPublic({ alg, key, jwk }) {
  if (jwk) return jose.importJWK(jwk, alg);
  return alg === 'HS256' ? bytes(key) : jose.importSPKI(key, alg);
}

const forms = {
  RS256: { hash: 'sha256' },
  RS1: { hash: 'sha1' },
  RS512: { hash: 'sha512' },
  PS256: {
    hash: 'sha256',
    options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
  },
  ES256: { hash: 'sha256', options: { dsaEncoding: 'ieee-p1363' } },
  ES512: { hash: 'sha512', options: { dsaEncoding: 'ieee-p1363' } },
  'ES256 in DER': { hash: 'sha256', options: { dsaEncoding: 'der' } },
  EdDSA: { hash: null },
};

const answers = {
  async generate({ alg, kid }) {
    const more = { kid, use: 'sig', alg };
    if (alg === 'HS256') {
      const key = crypto.getRandomValues(new Uint8Array(32));
      return { key: text(key), jwk: { kty: 'oct', k: text(key), ...more } };
    }
    const pair = await jose.generateKeyPair(alg,
      { extractable: true, crv: 'Ed25519', modulusLength: 2048 });
    return {
      private: await jose.exportPKCS8(pair.privateKey),
      public: await jose.exportSPKI(pair.publicKey),
      jwk: { ...(await jose.exportJWK(pair.publicKey)), ...more },
    };
  },

  async make({ alg, key, header, claims }) {
    const token = new jose.SignJWT(claims).setProtectedHeader({ alg, ...header });
    return { token: await token.sign(await importPrivate({ alg, key })) };
  },

  async sign({ form, key, message }) {
    if (form === 'HS256') {
      const code = createHmac('sha256', bytes(key)).update(bytes(message));
      return { signature: text(code.digest()) };
    }
    const { hash, options } = forms[form];
    return {
      signature: text(sign(hash, bytes(message),
        { key: createPrivateKey(key), ...options })),
    };
  },

  async verify({ alg, key, jwk, token, issuer, audience }) {
    try {
      const { payload } = await jose.jwtVerify(token,
        await importPublic({ alg, key, jwk }),
        { algorithms: [alg], requiredClaims: ['exp'], clockTolerance: 60,
          issuer, audience });
      return { claims: payload };
    } catch (error) {
      return { why: error.code ?? String(error) };
    }
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  let answer;
  try {
    answer = await answers[question.op](question);
  } catch (error) {
    answer = { broken: String(error.stack) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
