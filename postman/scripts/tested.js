// A test can fail in two places: in this answer, and in the answer of the receiver that it reports.
pm.test("Tableau could send a test", () => pm.response.to.have.status(200));
pm.test("The receiver answered it with 200", () => {
    pm.expect(Number(pm.response.json().webhookTestResult.status)).to.equal(200);
});
