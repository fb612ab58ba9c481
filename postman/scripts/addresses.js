// Addresses may be written with or without a scheme: this machine is asked by http, the world by https.
const address = (key) => {
    const given = (pm.environment.get(key) || "").trim().replace(/\/+$/, "");
    const local = /^(localhost|127\.|\[::1\])/.test(given);
    return given.includes("://") ? given : (local ? "http://" : "https://") + given;
};
pm.collectionVariables.set("tableau", address("server"));
pm.collectionVariables.set("ours", address("server-url"));
