"""The Postman collection of Tableau's calls and of the events that Tableau sends."""
