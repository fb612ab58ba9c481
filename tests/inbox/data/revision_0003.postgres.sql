-- A database made by commit 6df858c (schema revision 0003), for the tests of migrations.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE FUNCTION public.inbox_news() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_notify('inbox', ''); RETURN NULL; END $$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.attempts (
    id bigint NOT NULL,
    job_id bigint NOT NULL,
    number integer NOT NULL,
    worker text NOT NULL,
    started_at double precision NOT NULL,
    finished_at double precision NOT NULL,
    outcome text NOT NULL,
    error text
);
CREATE SEQUENCE public.attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.attempts_id_seq OWNED BY public.attempts.id;
CREATE TABLE public.clock (
    boot text NOT NULL,
    "offset" double precision NOT NULL
);
CREATE TABLE public.events (
    id bigint NOT NULL,
    fingerprint bytea NOT NULL,
    body bytea NOT NULL,
    event_type text NOT NULL,
    resource_luid text,
    resource_name text,
    site_luid text,
    received_at double precision NOT NULL,
    state smallint DEFAULT '0'::smallint NOT NULL,
    duplicates integer DEFAULT 0 NOT NULL
)
WITH (fillfactor='85');
CREATE SEQUENCE public.events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.events_id_seq OWNED BY public.events.id;
CREATE TABLE public.jobs (
    id bigint NOT NULL,
    event_id bigint NOT NULL,
    key text NOT NULL,
    rule text,
    handler text NOT NULL,
    params text DEFAULT '{}'::text NOT NULL,
    conditions text DEFAULT '{}'::text NOT NULL,
    state smallint DEFAULT '0'::smallint NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    max_attempts integer NOT NULL,
    due_at double precision NOT NULL,
    owner text,
    error text,
    created_at double precision NOT NULL,
    started_at double precision,
    finished_at double precision,
    told_at double precision
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_threshold='500');
CREATE SEQUENCE public.jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.jobs_id_seq OWNED BY public.jobs.id;
CREATE TABLE public.locks (
    key text NOT NULL,
    owner text NOT NULL,
    until double precision NOT NULL
);
CREATE TABLE public.made (
    event_id bigint NOT NULL,
    origin text NOT NULL,
    event_type text NOT NULL,
    resource_luid text,
    happened_at double precision NOT NULL
);
CREATE TABLE public.notes (
    key text NOT NULL,
    value text NOT NULL,
    noted_at double precision NOT NULL
);
CREATE TABLE public.resources (
    luid text NOT NULL,
    kind text NOT NULL,
    site_luid text NOT NULL,
    name text NOT NULL,
    owner text NOT NULL,
    project text NOT NULL,
    updated_at double precision,
    gone_at double precision
);
CREATE TABLE public.sessions (
    key text NOT NULL,
    value bytea NOT NULL,
    saved_at double precision NOT NULL
);
CREATE TABLE public.steps (
    job_id bigint NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    recorded_at double precision NOT NULL
);
ALTER TABLE ONLY public.attempts ALTER COLUMN id SET DEFAULT nextval('public.attempts_id_seq'::regclass);
ALTER TABLE ONLY public.events ALTER COLUMN id SET DEFAULT nextval('public.events_id_seq'::regclass);
ALTER TABLE ONLY public.jobs ALTER COLUMN id SET DEFAULT nextval('public.jobs_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0003');
INSERT INTO public.attempts VALUES (1, 1, 1, 'old-host:1:abc', 1795593660, 1795593660, 'done', NULL);
INSERT INTO public.attempts VALUES (2, 2, 1, 'old-host:1:abc', 1795593780, 1795593780, 'dead', 'Slack answered channel_not_found');
INSERT INTO public.attempts VALUES (3, 3, 1, 'old-host:1:abc', 1795593840, 1795593840, 'done', NULL);
INSERT INTO public.attempts VALUES (4, 4, 1, 'old-host:1:abc', 1795593960, 1795593960, 'dead', 'Slack answered is_archived');
INSERT INTO public.attempts VALUES (5, 5, 1, 'old-host:1:abc', 1795594020, 1795594020, 'later', 'Slack answered status 503');
INSERT INTO public.attempts VALUES (6, 5, 2, 'old-host:1:abc', 1795594090, 1795594090, 'later', 'Slack answered status 503');
INSERT INTO public.attempts VALUES (7, 6, 1, 'old-host:1:abc', 1795594090, 1795594090, 'dead', 'Slack answered invalid_auth');
INSERT INTO public.attempts VALUES (8, 7, 1, 'old-host:1:abc', 1795594151, 1795594151, 'dead', 'no job could be made: KeyError: ''tags''');
INSERT INTO public.attempts VALUES (9, 9, 1, 'old-host:1:abc', 1795594211, 1795594211, 'later', 'Jira answered status 502');
INSERT INTO public.events VALUES (1, '\x126d2deaae5112330a56233c3f48443e26d8a58b8f7f3a400cdcf4f1f0872299', '\x7b226576656e745f74797065223a2022576f726b626f6f6b43726561746564222c20227265736f75726365223a2022574f524b424f4f4b222c20227265736f757263655f6e616d65223a202253616c65732031222c20227265736f757263655f6c756964223a202265333431376636612d316331312d346130372d396632652d306433623561366337643865222c2022736974655f6c756964223a202236623761336638652d356436642d346338632d396230622d613161326133613461356136222c2022637265617465645f6174223a2022323032362d30312d33315430393a30303a30315a227d', 'WorkbookCreated', 'e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e', 'Sales 1', '6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6', 1795593600, 1, 0);
INSERT INTO public.events VALUES (2, '\x126d2deaae52b899e2eea494033761e02effae26a826cea43da89ef09f50799c', '\x7b226576656e745f74797065223a2022576f726b626f6f6b43726561746564222c20227265736f75726365223a2022574f524b424f4f4b222c20227265736f757263655f6e616d65223a202253616c65732032222c20227265736f757263655f6c756964223a202265333431376636612d316331312d346130372d396632652d306433623561366337643865222c2022736974655f6c756964223a202236623761336638652d356436642d346338632d396230622d613161326133613461356136222c2022637265617465645f6174223a2022323032362d30312d33315430393a30303a30325a227d', 'WorkbookCreated', 'e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e', 'Sales 2', '6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6', 1795593720, 1, 0);
INSERT INTO public.events VALUES (3, '\x126d2deaae53cccff49afd7a0a6ce304f41dbf1a74bfc5ebfd99153f65cdcf59', '\x7b226576656e745f74797065223a2022576f726b626f6f6b43726561746564222c20227265736f75726365223a2022574f524b424f4f4b222c20227265736f757263655f6e616d65223a202253616c65732033222c20227265736f757263655f6c756964223a202265333431376636612d316331312d346130372d396632652d306433623561366337643865222c2022736974655f6c756964223a202236623761336638652d356436642d346338632d396230622d613161326133613461356136222c2022637265617465645f6174223a2022323032362d30312d33315430393a30303a30335a227d', 'WorkbookCreated', 'e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e', 'Sales 3', '6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6', 1795593900, 1, 0);
INSERT INTO public.events VALUES (4, '\x126d2deaae54e8c96e53c14b5756eeef298918f49cb6c5a899266b7700866489', '\x7b226576656e745f74797065223a2022576f726b626f6f6b43726561746564222c20227265736f75726365223a2022574f524b424f4f4b222c20227265736f757263655f6e616d65223a202253616c65732034222c20227265736f757263655f6c756964223a202265333431376636612d316331312d346130372d396632652d306433623561366337643865222c2022736974655f6c756964223a202236623761336638652d356436642d346338632d396230622d613161326133613461356136222c2022637265617465645f6174223a2022323032362d30312d33315430393a30303a30345a227d', 'WorkbookCreated', 'e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e', 'Sales 4', '6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6', 1795594030, 1, 0);
INSERT INTO public.events VALUES (5, '\x126d2deaae557eb241c01d1bb907b21c5796441f6364680eb460c7fdf76d5107', '\x7b226576656e745f74797065223a2022576f726b626f6f6b43726561746564222c20227265736f75726365223a2022574f524b424f4f4b222c20227265736f757263655f6e616d65223a202253616c65732035222c20227265736f757263655f6c756964223a202265333431376636612d316331312d346130372d396632652d306433623561366337643865222c2022736974655f6c756964223a202236623761336638652d356436642d346338632d396230622d613161326133613461356136222c2022637265617465645f6174223a2022323032362d30312d33315430393a30303a30355a227d', 'WorkbookCreated', 'e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e', 'Sales 5', '6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6', 1795594091, 1, 0);
INSERT INTO public.events VALUES (6, '\x126d2deaae56a8fa55e60f6909a70fb93db1b1dc9f9bba748e15607408f0d985', '\x7b226576656e745f74797065223a2022576f726b626f6f6b43726561746564222c20227265736f75726365223a2022574f524b424f4f4b222c20227265736f757263655f6e616d65223a202253616c65732036222c20227265736f757263655f6c756964223a202265333431376636612d316331312d346130372d396632652d306433623561366337643865222c2022736974655f6c756964223a202236623761336638652d356436642d346338632d396230622d613161326133613461356136222c2022637265617465645f6174223a2022323032362d30312d33315430393a30303a30365a227d', 'WorkbookCreated', 'e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e', 'Sales 6', '6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6', 1795594151, 1, 0);
INSERT INTO public.events VALUES (7, '\x126d2deaae576e4198908273e36def025d9c8c5abf0859eaf2cb2783f5a6e21d', '\x7b226576656e745f74797065223a2022576f726b626f6f6b43726561746564222c20227265736f75726365223a2022574f524b424f4f4b222c20227265736f757263655f6e616d65223a202253616c65732037222c20227265736f757263655f6c756964223a202265333431376636612d316331312d346130372d396632652d306433623561366337643865222c2022736974655f6c756964223a202236623761336638652d356436642d346338632d396230622d613161326133613461356136222c2022637265617465645f6174223a2022323032362d30312d33315430393a30303a30375a227d', 'WorkbookCreated', 'e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e', 'Sales 7', '6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6', 1795594211, 1, 0);
INSERT INTO public.events VALUES (8, '\x126d6929c7b3ac707d6929943f4eb1c00cc0b6191c775642311d317308297723', '\x7b226576656e745f74797065223a20224f7572576562686f6f6b734368616e676564222c20227265736f75726365223a2022574542484f4f4b222c20227265736f757263655f6e616d65223a20224f757220776562686f6f6b73206174205461626c6561752773207369646520617265206e6f7420617320746865792073686f756c64206265222c20227265736f757263655f6c756964223a202277617463682d313739353539343231312e303030303030222c2022637265617465645f6174223a2022323032362d31312d32355430383a31303a31315a222c202274657874223a2022576f726b626f6f6b44656c657465643a2064697361626c65642e222c20226f726967696e223a20227761746368227d', 'OurWebhooksChanged', 'watch-1795594211.000000', 'Our webhooks at Tableau''s side are not as they should be', NULL, 1795594211, 1, 0);
INSERT INTO public.events VALUES (9, '\x126d6929c7b339e6ee7f4d8109253f834bafed803275c4f8048591779db07224', '\x7b226576656e745f74797065223a202243726564656e7469616c456e6473222c20227265736f75726365223a2022574542484f4f4b222c20227265736f757263655f6e616d65223a2022546865207369676e2d696e20746f205461626c656175206e656564732061206c6f6f6b222c20227265736f757263655f6c756964223a202277617463682d313739353539343231312e303030303030222c2022637265617465645f6174223a2022323032362d31312d32355430383a31303a31315a222c202274657874223a202254686520746f6b656e206578706972657320696e203520646179733a20c3bc626572222c20226f726967696e223a20227761746368227d', 'CredentialEnds', 'watch-1795594211.000000', 'The sign-in to Tableau needs a look', NULL, 1795594211, 0, 0);
INSERT INTO public.events VALUES (10, '\x126d6929c3c04f2d40e4401f5517f1b22f461cbbfd27e3657c34a9b6c39e2690', '\x7b226576656e745f74797065223a2022576f726b626f6f6b526566726573684661696c6564222c20227265736f75726365223a20224558545241435453222c20227265736f757263655f6e616d65223a202253616c6573222c20227265736f757263655f6c756964223a2022772d31222c2022736974655f6c756964223a202273222c2022637265617465645f6174223a2022323032362d31312d32355430383a30303a30305a222c20226f726967696e223a20227265636f6e63696c6564227d', 'WorkbookRefreshFailed', 'w-1', 'Sales', 's', 1795594211, 0, 0);
INSERT INTO public.events VALUES (11, '\x126d2deaae5ba30a0eee54d6cd8ac375dfe689c1b1bc893acddcbf7cad5826fc', '\x7b226576656e745f74797065223a2022576f726b626f6f6b43726561746564222c20227265736f75726365223a2022574f524b424f4f4b222c20227265736f757263655f6e616d65223a202253616c6573203131222c20227265736f757263655f6c756964223a202265333431376636612d316331312d346130372d396632652d306433623561366337643865222c2022736974655f6c756964223a202236623761336638652d356436642d346338632d396230622d613161326133613461356136222c2022637265617465645f6174223a2022323032362d30312d33315430393a30303a31315a222c20226f726967696e223a20227761746368227d', 'WorkbookCreated', 'e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e', 'Sales 11', '6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6', 1795594211, 0, 0);
INSERT INTO public.jobs VALUES (1, 1, 'R/notify/slack:#bi', 'R', 'notify', '{"to": "slack:#bi"}', '{}', 2, 1, 20, 1795593660, NULL, NULL, 1795593600, 1795593660, 1795593660, NULL);
INSERT INTO public.jobs VALUES (2, 2, 'R/notify/slack:#bi', 'R', 'notify', '{"to": "slack:#bi"}', '{}', 4, 1, 20, 1795593780, NULL, 'Slack answered channel_not_found', 1795593720, 1795593780, 1795593780, 1795593840);
INSERT INTO public.jobs VALUES (3, 2, 'dead letters 2', 'dead letters', 'announce', '{"to": ["slack:#bi"]}', '{}', 2, 1, 20, 1795593840, NULL, NULL, 1795593780, 1795593840, 1795593840, NULL);
INSERT INTO public.jobs VALUES (4, 3, 'R/notify/slack:#bi', 'R', 'notify', '{"to": "slack:#bi"}', '{}', 4, 1, 20, 1795593960, NULL, 'Slack answered is_archived', 1795593900, 1795593960, 1795593960, 1795594020);
INSERT INTO public.jobs VALUES (5, 3, 'dead letters 4', 'dead letters', 'announce', '{"to": ["slack:#bi"]}', '{}', 0, 2, 20, 1795594690, NULL, 'Slack answered status 503', 1795593960, 1795594090, 1795594090, NULL);
INSERT INTO public.jobs VALUES (6, 4, 'R/notify/slack:#bi', 'R', 'notify', '{"to": "slack:#bi"}', '{}', 4, 1, 20, 1795594090, NULL, 'Slack answered invalid_auth', 1795594030, 1795594090, 1795594090, NULL);
INSERT INTO public.jobs VALUES (7, 5, 'planning', NULL, 'planning', '{"error": "KeyError: ''tags''"}', '{}', 4, 1, 20, 1795594151, NULL, 'no job could be made: KeyError: ''tags''', 1795594091, 1795594151, 1795594151, NULL);
INSERT INTO public.jobs VALUES (8, 6, 'F/notify/slack:#finance', 'F', 'notify', '{"to": "slack:#finance"}', '{"project": "Finance*"}', 1, 1, 20, 1795594241, 'old-host:1:abc', NULL, 1795594151, 1795594211, NULL, NULL);
INSERT INTO public.jobs VALUES (9, 7, 'ticket', NULL, 'ticket', '{}', '{}', 0, 1, 20, 1795594216, NULL, 'Jira answered status 502', 1795594211, 1795594211, 1795594211, NULL);
INSERT INTO public.jobs VALUES (10, 8, 'watch/slack:#bi', 'watch', 'tell', '{"to": "slack:#bi"}', '{}', 0, 0, 20, 1795594211, NULL, NULL, 1795594211, NULL, NULL, NULL);
INSERT INTO public.locks VALUES ('task watch', 'old-host:1:abc', 1795594271);
INSERT INTO public.made VALUES (8, 'watch', 'OurWebhooksChanged', 'watch-1795594211.000000', 1795594211);
INSERT INTO public.made VALUES (9, 'watch', 'CredentialEnds', 'watch-1795594211.000000', 1795594211);
INSERT INTO public.made VALUES (10, 'reconciled', 'WorkbookRefreshFailed', 'w-1', 1795593600);
INSERT INTO public.notes VALUES ('OurWebhooksChanged', '["WorkbookDeleted disabled"]', 1795594211);
INSERT INTO public.notes VALUES ('OurWebhooksChanged https://emea.example acme', '[]', 1795594211);
INSERT INTO public.notes VALUES ('CredentialEnds', '"expires"', 1795594211);
INSERT INTO public.notes VALUES ('reconcile', '{"until": 1.0, "listed": 2.0}', 1795594211);
INSERT INTO public.notes VALUES ('credential used', '3.0', 1795594211);
INSERT INTO public.notes VALUES ('site_luid https://emea.example acme', '"s-2"', 1795594211);
INSERT INTO public.resources VALUES ('w-1', 'workbook', 's', 'Sales', 'Ann', 'Finance', 2.5, NULL);
INSERT INTO public.sessions VALUES ('k', '\x00736563726574ff', 1795594211);
INSERT INTO public.steps VALUES (3, 'told', '[2]', 1795593840);
INSERT INTO public.steps VALUES (5, 'told', '[4]', 1795594020);
INSERT INTO public.steps VALUES (9, 'ticket', '{"id": 17}', 1795594211);
INSERT INTO public.steps VALUES (9, 'conditions', '"mine"', 1795594211);
INSERT INTO public.steps VALUES (9, 'notify slack 1', '{"ts": "1.2"}', 1795594211);
INSERT INTO public.steps VALUES (9, 'notify slack 1 unanswered wait 1', '"no answer"', 1795594211);
INSERT INTO public.steps VALUES (9, 'surprise 1', 'null', 1795594211);
INSERT INTO public.steps VALUES (8, 'conditions', '"project Finance ~ Finance*"', 1795594211);
INSERT INTO public.steps VALUES (8, 'notify slack:#finance 1', '{"ts": "3.4"}', 1795594211);
SELECT pg_catalog.setval('public.attempts_id_seq', 9, true);
SELECT pg_catalog.setval('public.events_id_seq', 11, true);
SELECT pg_catalog.setval('public.jobs_id_seq', 10, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.clock
    ADD CONSTRAINT clock_pkey PRIMARY KEY (boot);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_fingerprint_key UNIQUE (fingerprint);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_event_id_key_key UNIQUE (event_id, key);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.locks
    ADD CONSTRAINT locks_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.made
    ADD CONSTRAINT made_pkey PRIMARY KEY (event_id);
ALTER TABLE ONLY public.notes
    ADD CONSTRAINT notes_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.resources
    ADD CONSTRAINT resources_pkey PRIMARY KEY (luid);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT steps_pkey PRIMARY KEY (job_id, key);
CREATE INDEX events_unplanned ON public.events USING btree (id) WHERE (state = 0);
CREATE INDEX ix_attempts_job_id ON public.attempts USING btree (job_id);
CREATE INDEX jobs_dead ON public.jobs USING btree (finished_at) WHERE (state = 4);
CREATE INDEX jobs_open ON public.jobs USING btree (due_at, id) WHERE (state = ANY (ARRAY[0, 1]));
CREATE INDEX made_about ON public.made USING btree (resource_luid, event_type);
CREATE TRIGGER inbox_news AFTER INSERT ON public.events FOR EACH STATEMENT EXECUTE FUNCTION public.inbox_news();
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_event_id_fkey FOREIGN KEY (event_id) REFERENCES public.events(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.made
    ADD CONSTRAINT made_event_id_fkey FOREIGN KEY (event_id) REFERENCES public.events(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT steps_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
