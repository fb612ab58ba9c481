// Addresses may have no scheme: http is used for this machine, https for all others.
const address = (key) => {
    const given = (pm.environment.get(key) || "").trim().replace(/\/+$/, "");
    const local = /^(localhost|127\.|\[::1\])/.test(given);
    return given.includes("://") ? given : (local ? "http://" : "https://") + given;
};
pm.collectionVariables.set("tableau", address("server"));
pm.collectionVariables.set("ours", address("server-url"));
