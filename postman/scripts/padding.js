pm.variables.set("padding", "x".repeat(65 * 1024));
