// Tableau writes whole seconds. The same event in the same second is a duplicate.
pm.variables.set("created-at", new Date().toISOString().replace(/\.\d+/, ""));
