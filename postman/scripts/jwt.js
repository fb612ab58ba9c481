// A JWT of a connected app with direct trust, valid for five minutes and one sign-in:
// https://help.tableau.com/current/online/en-us/connected_apps_direct.htm
const needed = ["ca-client", "ca-secret-id", "ca-secret-value", "username"];
if (needed.some((key) => !pm.environment.get(key))) {
    pm.execution.skipRequest();
}
const crypto = require("crypto-js");
const base64url = (words) => crypto.enc.Base64.stringify(words).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const part = (value) => base64url(crypto.enc.Utf8.parse(JSON.stringify(value)));

const [client, id, secret, user] = needed.map((key) => pm.environment.get(key));
const now = Math.floor(Date.now() / 1000);
const header = { alg: "HS256", typ: "JWT", kid: id, iss: client };
const claims = {
    iss: client,
    sub: user,
    aud: "tableau",
    exp: now + 300,
    jti: pm.variables.replaceIn("{{$guid}}"),
    scp: (pm.environment.get("ca-scopes") || "tableau:content:read").split(/[\s,]+/),
};
const signed = `${part(header)}.${part(claims)}`;
pm.variables.set("jwt", `${signed}.${base64url(crypto.HmacSHA256(signed, secret))}`);
